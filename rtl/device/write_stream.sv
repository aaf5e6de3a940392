// Write data on their way to the media, sector by sector.
//
// Gathered beats wait in a buffer of two sectors; a sector goes out only when all of it is there. When the rest
// of the data is lost, the whole sectors still go out, then one more beat marked last, within a sector, ends
// the write early: the media must not take bytes the guest did not give.
module write_stream
  import block_pkg::*;
#(
  parameter int unsigned DataWidth = 256
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,         // between requests
  input  logic                 start_i,         // sectors_i are to be written
  input  logic [31:0]          sectors_i,

  input  logic                 gather_valid_i,
  output logic                 gather_ready_o,
  input  logic [DataWidth-1:0] gather_data_i,

  output logic                 sector_ready_o,  // a whole sector is there
  input  logic                 lost_i,          // nothing more will come
  input  logic                 send_i,          // the media takes data now
  output logic                 sent_o,          // the last beat goes in this clock

  output logic                 wdata_valid_o,
  input  logic                 wdata_ready_i,
  output logic [DataWidth-1:0] wdata_o,
  output logic                 wdata_last_o
);

  localparam int unsigned SectorBeats = SectorBytes * 8 / DataWidth;
  localparam int unsigned LevelWidth  = $clog2(2 * SectorBeats) + 1;
  localparam int unsigned BeatWidth   = $clog2(SectorBeats);

  logic [31:0]           sectors_left_q, sectors_left_d;
  logic [BeatWidth-1:0]  beat_q, beat_d;  // within the sector that goes out
  logic [LevelWidth-1:0] level;
  logic [DataWidth-1:0]  buffered;

  wire beat_ready = sector_ready_o | (beat_q != '0);
  wire cut_short  = lost_i & ~beat_ready;
  wire sector_end = (beat_q == BeatWidth'(SectorBeats - 1));
  wire taken      = wdata_valid_o & wdata_ready_i;

  assign sector_ready_o = (level >= LevelWidth'(SectorBeats));
  assign wdata_valid_o  = send_i & (beat_ready | lost_i);
  assign wdata_o        = cut_short ? '0 : buffered;
  assign wdata_last_o   = cut_short | (sector_end & (sectors_left_q == 32'd1));
  assign sent_o         = taken & wdata_last_o;

  sector_buffer #(
    .DataWidth (DataWidth),
    .Depth     (2 * SectorBeats)
  ) u_buffer (
    .clk_i,
    .rst_ni,
    .clear_i,
    .in_valid_i (gather_valid_i),
    .in_ready_o (gather_ready_o),
    .in_data_i  (gather_data_i),
    .out_take_i (taken & ~cut_short),
    .out_data_o (buffered),
    .level_o    (level)
  );

  always_comb begin
    sectors_left_d = sectors_left_q;
    beat_d         = beat_q;
    if (start_i) begin
      sectors_left_d = sectors_i;
      beat_d         = '0;
    end else if (taken & ~cut_short) begin
      beat_d = sector_end ? '0 : beat_q + 1'b1;
      if (sector_end) sectors_left_d = sectors_left_q - 32'd1;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sectors_left_q <= '0;
      beat_q         <= '0;
    end else begin
      sectors_left_q <= sectors_left_d;
      beat_q         <= beat_d;
    end
  end

endmodule
