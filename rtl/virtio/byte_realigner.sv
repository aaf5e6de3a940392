// Joins and splits byte streams: beats of 1..BeatBytes bytes in, beats of the wanted number of bytes out.
//
// The bytes keep their order and start at bits 7:0 of every beat. out_bytes_i says how many bytes the next
// beat shall have (1..BeatBytes). Full beats pass at one a clock.
module byte_realigner #(
  parameter int unsigned DataWidth = 256,
  localparam int unsigned BeatBytes  = DataWidth / 8,
  localparam int unsigned BytesWidth = $clog2(BeatBytes) + 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clear_i,     // forget held bytes

  input  logic                  in_valid_i,
  output logic                  in_ready_o,
  input  logic [DataWidth-1:0]  in_data_i,
  input  logic [BytesWidth-1:0] in_bytes_i,

  output logic                  out_valid_o,
  input  logic                  out_ready_i,
  output logic [DataWidth-1:0]  out_data_o,
  input  logic [BytesWidth-1:0] out_bytes_i
);

  typedef logic [BytesWidth:0] count_t;

  logic [DataWidth-1:0]   held_q, held_d;    // bytes that came and have not left
  logic [BytesWidth-1:0]  count_q, count_d;  // how many, below BeatBytes
  logic [DataWidth-1:0]   fresh;             // the valid bytes of the beat that comes
  logic [DataWidth-1:0]   rest;              // what stays when the wanted bytes leave
  logic [2*DataWidth-1:0] joined;

  wire count_t wanted   = count_t'(out_bytes_i);
  wire count_t held     = count_t'(count_q);
  wire count_t reach    = held + count_t'(in_bytes_i);
  wire         enough   = held >= wanted;                 // without a new beat
  wire         completes = in_valid_i & (reach >= wanted);

  assign out_valid_o = enough | completes;
  assign in_ready_o  = ~enough & ((reach < wanted) | out_ready_i);
  assign joined      = {{DataWidth{1'b0}}, held_q} |
                       ({{DataWidth{1'b0}}, fresh} << {count_q, 3'b000});
  assign out_data_o  = enough ? held_q : joined[DataWidth-1:0];
  assign rest        = DataWidth'((enough ? {{DataWidth{1'b0}}, held_q} : joined) >> {out_bytes_i, 3'b000});

  always_comb begin
    for (int unsigned i = 0; i < BeatBytes; i++) begin
      fresh[8*i +: 8] = (BytesWidth'(i) < in_bytes_i) ? in_data_i[8*i +: 8] : 8'h00;
    end
  end

  always_comb begin
    held_d  = held_q;
    count_d = count_q;
    if (out_valid_o & out_ready_i) begin
      held_d  = rest;
      count_d = BytesWidth'((enough ? held : reach) - wanted);
    end else if (in_valid_i & in_ready_o) begin
      held_d  = joined[DataWidth-1:0];
      count_d = BytesWidth'(reach);
    end
    if (clear_i) begin
      held_d  = '0;
      count_d = '0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      held_q  <= '0;
      count_q <= '0;
    end else begin
      held_q  <= held_d;
      count_q <= count_d;
    end
  end

endmodule
