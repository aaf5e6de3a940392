// Counts the time in which somebody else holds the function up. It drives nothing.
//
// That is each clock in which a beat that the function offers is not taken, or the next beat of a packet, or of
// data, on its way to the function is not there. What the function needs for itself is the rest.
module hold_watch
  import harness_pkg::*;
#(
    parameter int unsigned Period = 8  // ns, of the clock
) (
    input logic clk_i,
    input logic rst_ni,
    input logic tx_req_waits_i,
    input logic tx_cpl_waits_i,
    input logic blk_req_waits_i,
    input logic blk_wdata_waits_i,
    input logic rx_cpl_valid_i,
    input logic rx_cpl_ready_i,
    input logic rx_cpl_last_i,
    input logic blk_rdata_valid_i,
    input logic blk_rdata_ready_i,
    input logic blk_rdata_last_i
);
  timeunit 1ns;
  timeprecision 1ns;

  logic inside_cpl_q, inside_rdata_q;  // a beat has passed, and it was not the last

  wire refused = tx_req_waits_i || tx_cpl_waits_i || blk_req_waits_i || blk_wdata_waits_i;
  wire gap     = (inside_cpl_q && !rx_cpl_valid_i) || (inside_rdata_q && !blk_rdata_valid_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      inside_cpl_q   <= 1'b0;
      inside_rdata_q <= 1'b0;
    end else begin
      if (rx_cpl_valid_i && rx_cpl_ready_i) inside_cpl_q <= !rx_cpl_last_i;
      if (blk_rdata_valid_i && blk_rdata_ready_i) inside_rdata_q <= !blk_rdata_last_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni && (refused || gap)) harness_held(Period);
  end

endmodule
