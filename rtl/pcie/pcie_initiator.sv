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
  // Body follows.
  logic unused;
  assign unused = ^{clk_i, rst_ni, tx_req_ready_i, rx_cpl_valid_i, rx_cpl_hdr_i, rx_cpl_data_i, rx_cpl_last_i,
                    bus_master_i, function_id_i, max_payload_i, max_read_request_i, rd_req_valid_i, rd_req_addr_i,
                    rd_req_len_i, rd_data_ready_i, wr_req_valid_i, wr_req_addr_i, wr_req_len_i, wr_data_valid_i,
                    wr_data_i, msg_req_valid_i, msg_req_msix_i, msg_addr_i, msg_data_i, msg_req_intx_assert_i,
                    cancel_i, NumTags[0], CompletionTimeout[0]};
  assign tx_req_valid_o = 1'b0;
  assign tx_req_hdr_o = '0;
  assign tx_req_data_o = '0;
  assign tx_req_last_o = 1'b0;
  assign rx_cpl_ready_o = 1'b1;
  assign rd_req_ready_o = 1'b0;
  assign rd_data_valid_o = 1'b0;
  assign rd_data_o = '0;
  assign rd_data_bytes_o = '0;
  assign rd_data_last_o = 1'b0;
  assign rd_data_error_o = 1'b0;
  assign wr_req_ready_o = 1'b0;
  assign wr_data_ready_o = 1'b0;
  assign wr_done_o = 1'b0;
  assign msg_req_ready_o = 1'b0;
  assign msg_presented_o = 1'b0;
  assign quiet_o = 1'b1;
  assign posted_blocked_o = 1'b0;
  assign dma_presented_o = 1'b0;
  assign transactions_pending_o = 1'b0;
  assign error_o = '0;
endmodule
