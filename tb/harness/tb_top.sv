// Top of every simulation: clock, reset, the function under test, and the harness around its pins.
//
// Python touches the signals marked public and nothing else; packets pass through shared memory (shared_memory.h). One
// toggle of `wake` tells Python that something waits for it, at the clock's falling edge, when the pins stand still.
module tb_top
  import harness_pkg::*;
#(
    parameter int unsigned DataWidth  = 256,
    parameter int unsigned HalfPeriod = 4,        // ns, of the clock
    parameter int unsigned StallLimit = 100_000
);
  timeunit 1ns;
  timeprecision 1ns;

  localparam int unsigned ResetClocks = 8;

  /* verilator lint_off PROCASSINIT */
  // Public, read only.
  logic [63:0]  shared_memory_address /* verilator public_flat_rd */ = '0;
  logic         wake /* verilator public_flat_rd */ = 1'b0;
  logic         clk /* verilator public_flat_rd */ = 1'b0;
  logic         rst_n /* verilator public_flat_rd */ = 1'b0;

  /* verilator lint_on PROCASSINIT */
  // Public, written by Python.
  logic         reset_request /* verilator public_flat_rw */ = 1'b0;
  logic [63:0]  blk_capacity /* verilator public_flat_rw */ = 64'd0;
  logic [159:0] blk_serial /* verilator public_flat_rw */ = 160'd0;

  // The pins of the function.
  logic                 rx_req_valid /* verilator public_flat_rd */;
  logic                 rx_req_ready /* verilator public_flat_rd */;
  logic [127:0]         rx_req_hdr /* verilator public_flat_rd */;
  logic [DataWidth-1:0] rx_req_data /* verilator public_flat_rd */;
  logic                 rx_req_last /* verilator public_flat_rd */;
  logic                 tx_cpl_valid /* verilator public_flat_rd */;
  logic                 tx_cpl_ready /* verilator public_flat_rd */;
  logic [127:0]         tx_cpl_hdr /* verilator public_flat_rd */;
  logic [DataWidth-1:0] tx_cpl_data /* verilator public_flat_rd */;
  logic                 tx_cpl_last /* verilator public_flat_rd */;
  logic                 tx_req_valid /* verilator public_flat_rd */;
  logic                 tx_req_ready /* verilator public_flat_rd */;
  logic [127:0]         tx_req_hdr /* verilator public_flat_rd */;
  logic [DataWidth-1:0] tx_req_data /* verilator public_flat_rd */;
  logic                 tx_req_last /* verilator public_flat_rd */;
  logic                 rx_cpl_valid /* verilator public_flat_rd */;
  logic                 rx_cpl_ready /* verilator public_flat_rd */;
  logic [127:0]         rx_cpl_hdr /* verilator public_flat_rd */;
  logic [DataWidth-1:0] rx_cpl_data /* verilator public_flat_rd */;
  logic                 rx_cpl_last /* verilator public_flat_rd */;

  logic                 blk_req_valid /* verilator public_flat_rd */;
  logic                 blk_req_ready /* verilator public_flat_rd */;
  logic [1:0]           blk_req_op /* verilator public_flat_rd */;
  logic [63:0]          blk_req_sector /* verilator public_flat_rd */;
  logic [31:0]          blk_req_count /* verilator public_flat_rd */;
  logic                 blk_wdata_valid /* verilator public_flat_rd */;
  logic                 blk_wdata_ready /* verilator public_flat_rd */;
  logic [DataWidth-1:0] blk_wdata /* verilator public_flat_rd */;
  logic                 blk_wdata_last /* verilator public_flat_rd */;
  logic                 blk_rdata_valid /* verilator public_flat_rd */;
  logic                 blk_rdata_ready /* verilator public_flat_rd */;
  logic [DataWidth-1:0] blk_rdata /* verilator public_flat_rd */;
  logic                 blk_rdata_last /* verilator public_flat_rd */;
  logic                 blk_rsp_valid /* verilator public_flat_rd */;
  logic                 blk_rsp_ready /* verilator public_flat_rd */;
  logic                 blk_rsp_error /* verilator public_flat_rd */;

  // Clock, and a reset that is asserted at once and released on a clock edge.
  /* verilator lint_off BLKSEQ */
  always #(HalfPeriod) clk = ~clk;
  /* verilator lint_on BLKSEQ */

  /* verilator lint_off PROCASSINIT */
  int unsigned reset_clocks = 0;
  /* verilator lint_on PROCASSINIT */

  always_ff @(posedge clk or posedge reset_request) begin
    if (reset_request) begin
      rst_n        <= 1'b0;
      reset_clocks <= 0;
    end else if (reset_clocks == ResetClocks) begin
      rst_n <= 1'b1;
    end else begin
      reset_clocks <= reset_clocks + 1;
    end
  end

  // The meeting point with Python.
  initial shared_memory_address = harness_open(DataWidth / 8);

  always_ff @(posedge clk) harness_clock($time);

  always_ff @(negedge clk) begin
    if (harness_wake()) wake <= ~wake;
  end

  /* verilator lint_off PROCASSINIT */
  logic rst_n_q = 1'b0;
  /* verilator lint_on PROCASSINIT */
  always_ff @(negedge clk) begin
    rst_n_q <= rst_n;
    if (rst_n_q && !rst_n) harness_reset();
  end

  // The function under test, put behind these names by a generated module.
  dut #(.DataWidth(DataWidth)) u_dut (
      .clk            (clk),
      .rst_n          (rst_n),
      .rx_req_valid   (rx_req_valid),
      .rx_req_ready   (rx_req_ready),
      .rx_req_hdr     (rx_req_hdr),
      .rx_req_data    (rx_req_data),
      .rx_req_last    (rx_req_last),
      .tx_cpl_valid   (tx_cpl_valid),
      .tx_cpl_ready   (tx_cpl_ready),
      .tx_cpl_hdr     (tx_cpl_hdr),
      .tx_cpl_data    (tx_cpl_data),
      .tx_cpl_last    (tx_cpl_last),
      .tx_req_valid   (tx_req_valid),
      .tx_req_ready   (tx_req_ready),
      .tx_req_hdr     (tx_req_hdr),
      .tx_req_data    (tx_req_data),
      .tx_req_last    (tx_req_last),
      .rx_cpl_valid   (rx_cpl_valid),
      .rx_cpl_ready   (rx_cpl_ready),
      .rx_cpl_hdr     (rx_cpl_hdr),
      .rx_cpl_data    (rx_cpl_data),
      .rx_cpl_last    (rx_cpl_last),
      .blk_req_valid  (blk_req_valid),
      .blk_req_ready  (blk_req_ready),
      .blk_req_op     (blk_req_op),
      .blk_req_sector (blk_req_sector),
      .blk_req_count  (blk_req_count),
      .blk_wdata_valid(blk_wdata_valid),
      .blk_wdata_ready(blk_wdata_ready),
      .blk_wdata      (blk_wdata),
      .blk_wdata_last (blk_wdata_last),
      .blk_rdata_valid(blk_rdata_valid),
      .blk_rdata_ready(blk_rdata_ready),
      .blk_rdata      (blk_rdata),
      .blk_rdata_last (blk_rdata_last),
      .blk_rsp_valid  (blk_rsp_valid),
      .blk_rsp_ready  (blk_rsp_ready),
      .blk_rsp_error  (blk_rsp_error),
      .blk_capacity   (blk_capacity),
      .blk_serial     (blk_serial)
  );

  // Host to function.
  packet_source #(.DataWidth(DataWidth), .Stream(StreamRxReq)) u_rx_req (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_o(rx_req_valid),
      .ready_i(rx_req_ready),
      .hdr_o  (rx_req_hdr),
      .data_o (rx_req_data),
      .last_o (rx_req_last)
  );

  packet_source #(.DataWidth(DataWidth), .Stream(StreamRxCpl)) u_rx_cpl (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_o(rx_cpl_valid),
      .ready_i(rx_cpl_ready),
      .hdr_o  (rx_cpl_hdr),
      .data_o (rx_cpl_data),
      .last_o (rx_cpl_last)
  );

  // Function to host.
  packet_sink #(.Stream(StreamTxCpl)) u_tx_cpl (.clk_i(clk), .rst_ni(rst_n), .ready_o(tx_cpl_ready));
  packet_sink #(.Stream(StreamTxReq)) u_tx_req (.clk_i(clk), .rst_ni(rst_n), .ready_o(tx_req_ready));

  packet_tap #(.DataWidth(DataWidth)) u_tap (
      .clk_i        (clk),
      .rst_ni       (rst_n),
      .tx_req_beat_i(tx_req_valid && tx_req_ready),
      .tx_req_hdr_i (tx_req_hdr),
      .tx_req_data_i(tx_req_data),
      .tx_req_last_i(tx_req_last),
      .tx_cpl_beat_i(tx_cpl_valid && tx_cpl_ready),
      .tx_cpl_hdr_i (tx_cpl_hdr),
      .tx_cpl_data_i(tx_cpl_data),
      .tx_cpl_last_i(tx_cpl_last),
      .rx_req_beat_i(rx_req_valid && rx_req_ready),
      .rx_req_hdr_i (rx_req_hdr),
      .rx_req_data_i(rx_req_data),
      .rx_req_last_i(rx_req_last),
      .rx_cpl_beat_i(rx_cpl_valid && rx_cpl_ready),
      .rx_cpl_hdr_i (rx_cpl_hdr),
      .rx_cpl_data_i(rx_cpl_data),
      .rx_cpl_last_i(rx_cpl_last)
  );

  hold_watch #(.Period(2 * HalfPeriod)) u_hold (
      .clk_i            (clk),
      .rst_ni           (rst_n),
      .tx_req_valid_i   (tx_req_valid),
      .blk_wdata_valid_i(blk_wdata_valid),
      .tx_cpl_waits_i   (tx_cpl_valid && !tx_cpl_ready),
      .blk_req_waits_i  (blk_req_valid && !blk_req_ready),
      .blk_req_taken_i  (blk_req_valid && blk_req_ready),
      .blk_req_reads_i  (blk_req_op == 2'd0),
      .blk_rsp_taken_i  (blk_rsp_valid && blk_rsp_ready),
      .blk_rsp_error_i  (blk_rsp_error),
      .rx_cpl_valid_i   (rx_cpl_valid),
      .rx_cpl_ready_i   (rx_cpl_ready),
      .rx_cpl_last_i    (rx_cpl_last),
      .blk_rdata_valid_i(blk_rdata_valid),
      .blk_rdata_ready_i(blk_rdata_ready),
      .blk_rdata_last_i (blk_rdata_last)
  );

  block_media #(.DataWidth(DataWidth)) u_block_media (
      .clk_i        (clk),
      .rst_ni       (rst_n),
      .req_valid_i  (blk_req_valid),
      .req_ready_o  (blk_req_ready),
      .req_op_i     (blk_req_op),
      .req_sector_i (blk_req_sector),
      .req_count_i  (blk_req_count),
      .wdata_valid_i(blk_wdata_valid),
      .wdata_ready_o(blk_wdata_ready),
      .wdata_i      (blk_wdata),
      .wdata_last_i (blk_wdata_last),
      .rdata_valid_o(blk_rdata_valid),
      .rdata_ready_i(blk_rdata_ready),
      .rdata_o      (blk_rdata),
      .rdata_last_o (blk_rdata_last),
      .rsp_valid_o  (blk_rsp_valid),
      .rsp_ready_i  (blk_rsp_ready),
      .rsp_error_o  (blk_rsp_error)
  );

  // Pin rules, and the packets as readable signals for the waves.
  packet_channel_watch #(
      .DataWidth (DataWidth),
      .Stream    (StreamRxReq),
      .StallLimit(StallLimit)
  ) u_rx_req_watch (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_i(rx_req_valid),
      .ready_i(rx_req_ready),
      .hdr_i  (rx_req_hdr),
      .data_i (rx_req_data),
      .last_i (rx_req_last)
  );
  packet_channel_watch #(
      .DataWidth (DataWidth),
      .Stream    (StreamTxCpl),
      .StallLimit(StallLimit)
  ) u_tx_cpl_watch (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_i(tx_cpl_valid),
      .ready_i(tx_cpl_ready),
      .hdr_i  (tx_cpl_hdr),
      .data_i (tx_cpl_data),
      .last_i (tx_cpl_last)
  );
  packet_channel_watch #(
      .DataWidth (DataWidth),
      .Stream    (StreamTxReq),
      .StallLimit(StallLimit)
  ) u_tx_req_watch (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_i(tx_req_valid),
      .ready_i(tx_req_ready),
      .hdr_i  (tx_req_hdr),
      .data_i (tx_req_data),
      .last_i (tx_req_last)
  );
  packet_channel_watch #(
      .DataWidth (DataWidth),
      .Stream    (StreamRxCpl),
      .StallLimit(StallLimit)
  ) u_rx_cpl_watch (
      .clk_i  (clk),
      .rst_ni (rst_n),
      .valid_i(rx_cpl_valid),
      .ready_i(rx_cpl_ready),
      .hdr_i  (rx_cpl_hdr),
      .data_i (rx_cpl_data),
      .last_i (rx_cpl_last)
  );

  stream_checker #(.Stream(StreamBlkReq), .Width(98), .ControlWidth(98), .StallLimit(StallLimit)) u_blk_req_checker (
      .clk_i    (clk),
      .rst_ni   (rst_n),
      .valid_i  (blk_req_valid),
      .ready_i  (blk_req_ready),
      .control_i({blk_req_op, blk_req_sector, blk_req_count}),
      .payload_i({blk_req_op, blk_req_sector, blk_req_count})
  );
  stream_checker #(.Stream(StreamBlkWdata), .Width(DataWidth + 1), .StallLimit(StallLimit)) u_blk_wdata_checker (
      .clk_i    (clk),
      .rst_ni   (rst_n),
      .valid_i  (blk_wdata_valid),
      .ready_i  (blk_wdata_ready),
      .control_i(blk_wdata_last),
      .payload_i({blk_wdata_last, blk_wdata})
  );
  stream_checker #(.Stream(StreamBlkRdata), .Width(1), .StallLimit(StallLimit)) u_blk_rdata_checker (
      .clk_i    (clk),
      .rst_ni   (rst_n),
      .valid_i  (blk_rdata_valid),
      .ready_i  (blk_rdata_ready),
      .control_i(blk_rdata_last),
      .payload_i(blk_rdata_last)
  );
  stream_checker #(.Stream(StreamBlkRsp), .Width(1), .StallLimit(StallLimit)) u_blk_rsp_checker (
      .clk_i    (clk),
      .rst_ni   (rst_n),
      .valid_i  (blk_rsp_valid),
      .ready_i  (blk_rsp_ready),
      .control_i(blk_rsp_error),
      .payload_i(blk_rsp_error)
  );

endmodule
