// Shifts a byte stream to its place in address-aligned rows.
//
// The first stream byte goes to byte `offset` of the first row; bytes outside the request are 0 in the rows.
// One row per client beat, and one more when the shifted stream ends in a further row.

module dma_write_align #(
  parameter int unsigned DataWidth  = 256,
  localparam int unsigned BeatBytes = DataWidth / 8,
  localparam int unsigned ByteBits  = $clog2(BeatBytes)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  logic                 clear_i,   // forget the request; swallow the client's data
  input  logic                 start_i,   // only while not busy
  input  logic [ByteBits-1:0]  offset_i,
  input  logic [31:0]          len_i,     // bytes, > 0
  output logic                 busy_o,

  input  logic                 data_valid_i,
  output logic                 data_ready_o,
  input  logic [DataWidth-1:0] data_i,

  output logic                 row_valid_o,
  input  logic                 row_ready_i,
  output logic [DataWidth-1:0] row_o
);

  typedef logic [32-ByteBits:0] beat_count_t;

  logic                 busy_q;
  logic [ByteBits-1:0]  offset_q;
  logic [ByteBits-1:0]  tail_q;        // bytes of the last beat; 0 = all
  beat_count_t          beats_left_q, rows_left_q;
  logic [DataWidth-1:0] carry_q;       // the last beat, rotated

  logic [32:0] last_beat, last_row;
  assign last_beat = {1'b0, len_i} + 33'(BeatBytes - 1);
  assign last_row  = {1'b0, len_i} + 33'(BeatBytes - 1) + 33'(offset_i);

  logic beats_done, row_taken;
  assign beats_done = beats_left_q == '0;
  assign busy_o     = busy_q;

  assign data_ready_o = clear_i || (busy_q && !beats_done && row_ready_i);
  assign row_valid_o  = busy_q && !clear_i && (beats_done || data_valid_i);
  assign row_taken    = row_valid_o && row_ready_i;

  // Bytes past the end of the request are cleared, then the beat is rotated up by the offset.

  logic [DataWidth-1:0]   masked, rotated;
  logic [2*DataWidth-1:0] doubled;

  always_comb begin
    masked = data_i;
    for (int unsigned i = 0; i < BeatBytes; i++) begin
      if (beats_left_q == beat_count_t'(1) && tail_q != '0 && ByteBits'(i) >= tail_q) masked[8*i +: 8] = '0;
      if (beats_done) masked[8*i +: 8] = '0;
    end
  end

  assign doubled = {masked, masked} << {offset_q, 3'b000};
  assign rotated = doubled[DataWidth +: DataWidth];

  always_comb begin
    row_o = rotated;
    for (int unsigned i = 0; i < BeatBytes; i++) begin
      if (ByteBits'(i) < offset_q) row_o[8*i +: 8] = carry_q[8*i +: 8];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q       <= 1'b0;
      offset_q     <= '0;
      tail_q       <= '0;
      beats_left_q <= '0;
      rows_left_q  <= '0;
      carry_q      <= '0;
    end else if (clear_i) begin
      busy_q  <= 1'b0;
      carry_q <= '0;
    end else if (start_i) begin
      busy_q       <= 1'b1;
      offset_q     <= offset_i;
      tail_q       <= len_i[ByteBits-1:0];
      beats_left_q <= last_beat[32:ByteBits];
      rows_left_q  <= last_row[32:ByteBits];
      carry_q      <= '0;
    end else if (row_taken) begin
      busy_q      <= rows_left_q != beat_count_t'(1);
      rows_left_q <= rows_left_q - beat_count_t'(1);
      carry_q     <= rotated;
      if (!beats_done) beats_left_q <= beats_left_q - beat_count_t'(1);
    end
  end

  logic unused_low;
  assign unused_low = ^{last_beat[ByteBits-1:0], last_row[ByteBits-1:0], doubled[DataWidth-1:0]};

endmodule
