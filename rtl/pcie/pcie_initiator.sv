// The function's own requests: DMA reads and writes, MSI-X writes and INTx messages, and the completions of the reads.
//
// Clients:
//   rd   reads a byte stream. A request that fails (UR, CA, poisoned, malformed, timeout) or is cancelled ends with a
//        beat {bytes 0, last, error}; the beats before it are good.
//   wr   writes a byte stream of ceil(len / BeatBytes) beats. wr_done when the last beat of its last TLP was taken on
//        the pins.
//   msg  one message. It is copied when it starts to be presented; msg_req_ready is the pulse that says it was taken.
//        A client may withdraw a message, and must then still accept a msg_req_ready for one already presented.
// Order between the clients is the client's business: a read or a message that must follow a write waits for wr_done.
//
// cancel_i ends all reads and writes: nothing new starts, TLPs on the pins are finished, outstanding reads are waited
// for (at most CompletionTimeout), data are thrown away. Hold it until quiet_o. While it is high, every read request
// that was accepted offers its closing error beat; those not taken when cancel_i falls are forgotten, and so are
// writes (no wr_done). Messages are not cancelled.

module pcie_initiator
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth         = 256,
  parameter int unsigned NumTags           = 8,        // reads outstanding, power of two, 2..8
  parameter int unsigned CompletionTimeout = 125_000,  // clocks
  localparam int unsigned BeatBytes        = DataWidth / 8,
  localparam int unsigned BytesWidth       = $clog2(BeatBytes) + 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,

  // Requests to the host.
  output logic                  tx_req_valid_o,
  input  logic                  tx_req_ready_i,
  output logic [127:0]          tx_req_hdr_o,
  output logic [DataWidth-1:0]  tx_req_data_o,
  output logic                  tx_req_last_o,

  // Completions from the host; always accepted.
  input  logic                  rx_cpl_valid_i,
  output logic                  rx_cpl_ready_o,
  input  logic [127:0]          rx_cpl_hdr_i,
  input  logic [DataWidth-1:0]  rx_cpl_data_i,
  input  logic                  rx_cpl_last_i,

  // From config_space and pcie_target.
  input  logic                  bus_master_i,
  input  logic [15:0]           function_id_i,
  input  dma_len_t              max_payload_i,
  input  dma_len_t              max_read_request_i,

  // DMA reads: byte stream of [addr, addr + len), in request order.
  input  logic                  rd_req_valid_i,
  output logic                  rd_req_ready_o,
  input  logic [63:0]           rd_req_addr_i,
  input  logic [31:0]           rd_req_len_i,
  output logic                  rd_data_valid_o,
  input  logic                  rd_data_ready_i,
  output logic [DataWidth-1:0]  rd_data_o,
  output logic [BytesWidth-1:0] rd_data_bytes_o,  // 1..BeatBytes; 0 in a beat that carries only an error
  output logic                  rd_data_last_o,
  output logic                  rd_data_error_o,

  // DMA writes.
  input  logic                  wr_req_valid_i,
  output logic                  wr_req_ready_o,
  input  logic [63:0]           wr_req_addr_i,
  input  logic [31:0]           wr_req_len_i,
  input  logic                  wr_data_valid_i,
  output logic                  wr_data_ready_o,
  input  logic [DataWidth-1:0]  wr_data_i,
  output logic                  wr_done_o,        // pulse: the last beat of a write has been taken on the pins

  // Interrupt messages.
  input  logic                  msg_req_valid_i,
  output logic                  msg_req_ready_o,  // pulse: the message has been taken on the pins
  output logic                  msg_presented_o,  // the message is on the pins
  input  logic                  msg_req_msix_i,
  input  logic [63:0]           msg_addr_i,
  input  logic [31:0]           msg_data_i,
  input  logic                  msg_req_intx_assert_i,

  // Reset fence and ordering.
  input  logic                  cancel_i,
  output logic                  quiet_o,
  output logic                  posted_blocked_o,
  output logic                  dma_presented_o,
  output logic                  transactions_pending_o,
  output pcie_error_t           error_o
);
  initial begin : check_parameters
    if (DataWidth != 64 && DataWidth != 128 && DataWidth != 256 && DataWidth != 512) begin
      $fatal(1, "DataWidth must be 64, 128, 256 or 512.");
    end
    if (NumTags != 2 && NumTags != 4 && NumTags != 8) $fatal(1, "NumTags must be 2, 4 or 8.");
    if (CompletionTimeout < 2) $fatal(1, "CompletionTimeout must be at least 2 clocks.");
  end

  assign rx_cpl_ready_o = 1'b1;  // every read has its buffer before it is sent

  // Cancelling goes on until everything has drained, also when cancel_i falls too early.

  logic cancelling, drain_q, drained, clear;
  logic slots_used, wr_busy, rd_busy, wr_locked, wr_done;

  assign drained    = !slots_used && !wr_busy && !dma_presented_o;
  assign cancelling = cancel_i || drain_q;
  assign clear      = drain_q && !cancel_i && drained;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)       drain_q <= 1'b0;
    else if (cancel_i) drain_q <= 1'b1;
    else if (drained)  drain_q <= 1'b0;
  end

  assign quiet_o   = drained && !msg_presented_o && (cancelling || !rd_busy);
  assign wr_done_o = wr_done && !cancelling;

  logic                 rd_valid, rd_granted, rd_sent;
  tlp_info_t            rd_info, wr_info;
  logic [7:0]           rd_sent_tag;
  logic                 wr_valid, wr_last, wr_request_end, wr_taken;
  logic [DataWidth-1:0] wr_tlp_data;

  dma_read #(
    .DataWidth         (DataWidth),
    .NumTags           (NumTags),
    .CompletionTimeout (CompletionTimeout)
  ) u_read (
    .clk_i,
    .rst_ni,
    .max_read_request_i,
    .function_id_i,
    .cancelling_i   (cancelling),
    .clear_i        (clear),
    .busy_o         (rd_busy),
    .slots_used_o   (slots_used),
    .outstanding_o  (transactions_pending_o),
    .error_o,
    .req_valid_i    (rd_req_valid_i),
    .req_ready_o    (rd_req_ready_o),
    .req_addr_i     (rd_req_addr_i),
    .req_len_i      (rd_req_len_i),
    .data_valid_o   (rd_data_valid_o),
    .data_ready_i   (rd_data_ready_i),
    .data_o         (rd_data_o),
    .data_bytes_o   (rd_data_bytes_o),
    .data_last_o    (rd_data_last_o),
    .data_error_o   (rd_data_error_o),
    .tlp_valid_o    (rd_valid),
    .tlp_info_o     (rd_info),
    .tlp_granted_i  (rd_granted),
    .tlp_sent_i     (rd_sent),
    .tlp_sent_tag_i (rd_sent_tag),
    .cpl_valid_i    (rx_cpl_valid_i),
    .cpl_hdr_i      (rx_cpl_hdr_i[127:32]),
    .cpl_data_i     (rx_cpl_data_i),
    .cpl_last_i     (rx_cpl_last_i)
  );

  dma_write #(.DataWidth(DataWidth)) u_write (
    .clk_i,
    .rst_ni,
    .max_payload_i,
    .cancelling_i      (cancelling),
    .busy_o            (wr_busy),
    .req_valid_i       (wr_req_valid_i),
    .req_ready_o       (wr_req_ready_o),
    .req_addr_i        (wr_req_addr_i),
    .req_len_i         (wr_req_len_i),
    .data_valid_i      (wr_data_valid_i),
    .data_ready_o      (wr_data_ready_o),
    .data_i            (wr_data_i),
    .tlp_valid_o       (wr_valid),
    .tlp_info_o        (wr_info),
    .tlp_data_o        (wr_tlp_data),
    .tlp_last_o        (wr_last),
    .tlp_request_end_o (wr_request_end),
    .tlp_taken_i       (wr_taken),
    .tlp_locked_i      (wr_locked)
  );

  tx_arbiter #(.DataWidth(DataWidth)) u_arbiter (
    .clk_i,
    .rst_ni,
    .tx_req_valid_o,
    .tx_req_ready_i,
    .tx_req_hdr_o,
    .tx_req_data_o,
    .tx_req_last_o,
    .bus_master_i,
    .function_id_i,
    .cancelling_i      (cancelling),
    .rd_valid_i        (rd_valid),
    .rd_info_i         (rd_info),
    .rd_granted_o      (rd_granted),
    .rd_sent_o         (rd_sent),
    .rd_sent_tag_o     (rd_sent_tag),
    .wr_valid_i        (wr_valid),
    .wr_info_i         (wr_info),
    .wr_data_i         (wr_tlp_data),
    .wr_last_i         (wr_last),
    .wr_request_end_i  (wr_request_end),
    .wr_taken_o        (wr_taken),
    .wr_locked_o       (wr_locked),
    .wr_done_o         (wr_done),
    .msg_valid_i       (msg_req_valid_i),
    .msg_msix_i        (msg_req_msix_i),
    .msg_addr_i,
    .msg_data_i,
    .msg_intx_assert_i (msg_req_intx_assert_i),
    .msg_sent_o        (msg_req_ready_o),
    .msg_presented_o,
    .posted_blocked_o,
    .dma_presented_o
  );

  logic unused_hdr;
  assign unused_hdr = ^rx_cpl_hdr_i[31:0];

endmodule
