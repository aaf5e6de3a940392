// Counts the time that is not the function's own. It drives nothing.
//
// That is each clock in which a beat that the function offers is not taken, in which the next beat of a packet or of
// data on its way to the function is not there, and in which a beat of DMA or of the disk's data passes. In the rest
// of the time nothing outside keeps the function from what it has to do. Accesses to its registers do not count.
module hold_watch
  import harness_pkg::*;
#(
    parameter int unsigned Period = 8  // ns, of the clock
) (
    input logic clk_i,
    input logic rst_ni,
    input logic tx_req_valid_i,
    input logic blk_wdata_valid_i,
    input logic tx_cpl_waits_i,
    input logic blk_req_waits_i,
    input logic blk_req_taken_i,
    input logic blk_req_reads_i,    // with it: the request is a read
    input logic blk_rsp_taken_i,
    input logic blk_rsp_error_i,
    input logic rx_cpl_valid_i,
    input logic rx_cpl_ready_i,
    input logic rx_cpl_last_i,
    input logic blk_rdata_valid_i,
    input logic blk_rdata_ready_i,
    input logic blk_rdata_last_i
);
  timeunit 1ns;
  timeprecision 1ns;

  logic inside_cpl_q;  // a beat of a completion has passed, and it was not the last
  logic reads_q;       // the disk's request is a read
  logic rdata_due_q;   // the disk has answered it, and not all of its data have come

  wire cpl_moves   = rx_cpl_valid_i ? rx_cpl_ready_i : inside_cpl_q;
  wire rdata_moves = blk_rdata_valid_i ? blk_rdata_ready_i : rdata_due_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      inside_cpl_q <= 1'b0;
      reads_q      <= 1'b0;
      rdata_due_q  <= 1'b0;
    end else begin
      if (rx_cpl_valid_i && rx_cpl_ready_i) inside_cpl_q <= !rx_cpl_last_i;
      if (blk_req_taken_i) reads_q <= blk_req_reads_i;
      if (blk_req_taken_i || (blk_rdata_valid_i && blk_rdata_ready_i && blk_rdata_last_i)) rdata_due_q <= 1'b0;
      else if (blk_rsp_taken_i) rdata_due_q <= reads_q && !blk_rsp_error_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni && (tx_req_valid_i || blk_wdata_valid_i || tx_cpl_waits_i || blk_req_waits_i || cpl_moves || rdata_moves))
      harness_held(Period);
  end

endmodule
