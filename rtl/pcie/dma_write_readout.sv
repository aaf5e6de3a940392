// The row buffer of dma_write and the read-out of whole TLPs from it.
//
// The buffer is one memory per DW lane, so that a TLP that starts in the middle of a row still gives a full beat per
// clock: lanes below the first one are read from the following row, and the beat is rotated.

module dma_write_readout
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth = 256,
  parameter int unsigned Rows      = 32,   // power of two
  localparam int unsigned RowBits  = $clog2(Rows)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 clear_i,

  // Rows in.
  input  logic                 row_valid_i,
  input  logic [RowBits-1:0]   row_addr_i,
  input  logic [DataWidth-1:0] row_i,

  // The next TLP; its rows follow those of the one before.
  input  logic                 next_valid_i,
  input  tlp_info_t            next_info_i,
  input  logic                 next_end_i,      // last TLP of the client's request
  input  logic [RowBits:0]     next_rows_i,
  output logic                 next_take_o,

  output logic                 free_o,          // pulse: all rows of a TLP have been read
  output logic [RowBits:0]     free_rows_o,

  // Beats out.
  output logic                 tlp_valid_o,
  output tlp_info_t            tlp_info_o,
  output logic [DataWidth-1:0] tlp_data_o,
  output logic                 tlp_last_o,
  output logic                 tlp_request_end_o,
  input  logic                 tlp_taken_i
);

  localparam int unsigned Lanes    = DataWidth / 32;
  localparam int unsigned LaneBits = $clog2(Lanes);

  typedef logic [RowBits-1:0]  row_t;
  typedef logic [LaneBits-1:0] lane_t;

  // The TLP being read.
  logic             busy_q, end_q;
  tlp_info_t        info_q;
  row_t             row_q;         // first row of the next beat
  row_t             start_q;       // first row of the next TLP
  logic [9:0]       dw_left_q;
  logic [RowBits:0] rows_q;

  logic  read, final_beat;
  lane_t lane;

  assign lane        = info_q.address[2 +: LaneBits];
  assign read        = busy_q && (!tlp_valid_o || tlp_taken_i);
  assign final_beat  = dw_left_q <= 10'(Lanes);
  assign next_take_o = next_valid_i && (!busy_q || (read && final_beat));
  assign free_o      = read && final_beat;
  assign free_rows_o = rows_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q    <= 1'b0;
      end_q     <= 1'b0;
      info_q    <= '0;
      row_q     <= '0;
      start_q   <= '0;
      dw_left_q <= '0;
      rows_q    <= '0;
    end else if (clear_i) begin
      busy_q  <= 1'b0;
      start_q <= '0;
    end else if (next_take_o) begin
      busy_q    <= 1'b1;
      end_q     <= next_end_i;
      info_q    <= next_info_i;
      row_q     <= start_q;
      start_q   <= start_q + row_t'(next_rows_i);
      dw_left_q <= next_info_i.length;
      rows_q    <= next_rows_i;
    end else if (read) begin
      busy_q    <= !final_beat;
      row_q     <= row_q + 1'b1;
      dw_left_q <= dw_left_q - 10'(Lanes);
    end
  end

  // Lane memories.

  logic [DataWidth-1:0] lanes;
  logic [Lanes-1:0]     below;   // lanes below the TLP's first one

  assign below = ~({Lanes{1'b1}} << lane);

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [31:0] mem [Rows];
    logic [31:0] rdata_q;
    row_t        raddr;

    assign raddr = row_q + row_t'(below[l]);

    always_ff @(posedge clk_i) begin
      if (row_valid_i) mem[row_addr_i] <= row_i[32*l +: 32];
    end

    always_ff @(posedge clk_i) begin
      if (read) rdata_q <= mem[raddr];
    end

    assign lanes[32*l +: 32] = rdata_q;
  end

  // The beat read last.

  lane_t      lane_q;
  logic [9:0] beat_dws_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tlp_valid_o       <= 1'b0;
      tlp_info_o        <= '0;
      tlp_last_o        <= 1'b0;
      tlp_request_end_o <= 1'b0;
      lane_q            <= '0;
      beat_dws_q        <= '0;
    end else if (clear_i) begin
      tlp_valid_o <= 1'b0;
    end else if (read) begin
      tlp_valid_o       <= 1'b1;
      tlp_info_o        <= info_q;
      tlp_last_o        <= final_beat;
      tlp_request_end_o <= end_q;
      lane_q            <= lane;
      beat_dws_q        <= dw_left_q;
    end else if (tlp_taken_i) begin
      tlp_valid_o <= 1'b0;
    end
  end

  logic [2*DataWidth-1:0] rotated;
  assign rotated = {lanes, lanes} >> {lane_q, 5'b00000};

  always_comb begin
    tlp_data_o = rotated[DataWidth-1:0];
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (10'(l) >= beat_dws_q) tlp_data_o[32*l +: 32] = '0;
    end
  end

  logic unused_rotated;
  assign unused_rotated = ^rotated[2*DataWidth-1:DataWidth];

endmodule
