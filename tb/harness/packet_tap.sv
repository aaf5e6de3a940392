// Reads every packet off the pins into the shared memory. It drives nothing.
//
// Of first beats in the same clock the function's own come before the host's, and its requests before its completions.
module packet_tap
  import harness_pkg::*;
#(
    parameter int unsigned DataWidth = 256
) (
    input logic                 clk_i,
    input logic                 rst_ni,
    input logic                 tx_req_beat_i,
    input logic [127:0]         tx_req_hdr_i,
    input logic [DataWidth-1:0] tx_req_data_i,
    input logic                 tx_req_last_i,
    input logic                 tx_cpl_beat_i,
    input logic [127:0]         tx_cpl_hdr_i,
    input logic [DataWidth-1:0] tx_cpl_data_i,
    input logic                 tx_cpl_last_i,
    input logic                 rx_req_beat_i,
    input logic [127:0]         rx_req_hdr_i,
    input logic [DataWidth-1:0] rx_req_data_i,
    input logic                 rx_req_last_i,
    input logic                 rx_cpl_beat_i,
    input logic [127:0]         rx_cpl_hdr_i,
    input logic [DataWidth-1:0] rx_cpl_data_i,
    input logic                 rx_cpl_last_i
);
  timeunit 1ns;
  timeprecision 1ns;

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      if (tx_req_beat_i) begin
        harness_tap_beat(StreamTxReq, tx_req_hdr_i, MaxDataWidth'(tx_req_data_i), tx_req_last_i);
      end
      if (tx_cpl_beat_i) begin
        harness_tap_beat(StreamTxCpl, tx_cpl_hdr_i, MaxDataWidth'(tx_cpl_data_i), tx_cpl_last_i);
      end
      if (rx_req_beat_i) begin
        harness_tap_beat(StreamRxReq, rx_req_hdr_i, MaxDataWidth'(rx_req_data_i), rx_req_last_i);
      end
      if (rx_cpl_beat_i) begin
        harness_tap_beat(StreamRxCpl, rx_cpl_hdr_i, MaxDataWidth'(rx_cpl_data_i), rx_cpl_last_i);
      end
    end
  end

endmodule
