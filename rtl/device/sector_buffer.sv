// Two sectors of write data on their way to the media, as a first-in first-out buffer of beats.
module sector_buffer #(
  parameter int unsigned DataWidth = 256,
  parameter int unsigned Depth     = 32,   // beats, power of two
  localparam int unsigned LevelWidth = $clog2(Depth) + 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clear_i,

  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  input  logic [DataWidth-1:0]  in_data_i,

  input  logic                  out_take_i,  // only while level_o is not zero
  output logic [DataWidth-1:0]  out_data_o,
  output logic [LevelWidth-1:0] level_o      // beats held
);

  logic [DataWidth-1:0]  beats [Depth];
  logic [LevelWidth-1:0] written_q, taken_q;

  wire put = in_valid_i & in_ready_o;

  assign level_o    = written_q - taken_q;
  assign in_ready_o = (level_o != LevelWidth'(Depth));
  assign out_data_o = beats[taken_q[LevelWidth-2:0]];

  always_ff @(posedge clk_i) begin
    if (put) beats[written_q[LevelWidth-2:0]] <= in_data_i;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      written_q <= '0;
      taken_q   <= '0;
    end else if (clear_i) begin
      written_q <= '0;
      taken_q   <= '0;
    end else begin
      if (put) written_q <= written_q + 1'b1;
      if (out_take_i) taken_q <= taken_q + 1'b1;
    end
  end

endmodule
