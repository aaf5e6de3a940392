// The rules of valid and ready on one stream. It drives nothing; each break is reported with its time.
//
// Unknown values are found where the simulator has them. In a two-state one they are random at the start instead.
module stream_checker
  import harness_pkg::*;
#(
    parameter stream_e     Stream       = StreamRxReq,
    parameter int unsigned Width        = 8,
    parameter int unsigned ControlWidth = 1,
    parameter int unsigned StallLimit   = 100_000  // clocks that valid may wait for ready
) (
    input logic                    clk_i,
    input logic                    rst_ni,
    input logic                    valid_i,
    input logic                    ready_i,
    input logic [ControlWidth-1:0] control_i,  // everything that must be known while valid is up
    input logic [Width-1:0]        payload_i   // everything that must hold while valid waits
);
  timeunit 1ns;
  timeprecision 1ns;

  logic             waiting_q;
  logic [Width-1:0] payload_q;
  int unsigned      stalled_q;
  logic             in_reset_q = 1'b0;
  logic             unknown_q;

  always_ff @(posedge clk_i) begin
    in_reset_q <= !rst_ni;
    if (!rst_ni) begin
      // The first clock of the power-on reset is what clears the function's valids.
      if (in_reset_q && valid_i) harness_fault(Stream, FaultValidInReset, 0);
      waiting_q <= 1'b0;
      stalled_q <= 0;
      unknown_q <= 1'b0;
    end else begin
      waiting_q <= valid_i && !ready_i;
      if (valid_i && !ready_i) begin
        payload_q <= payload_i;
        stalled_q <= stalled_q + 1;
        if (stalled_q == StallLimit) harness_fault(Stream, FaultStalled, StallLimit);
        if (Stream == StreamRxCpl && stalled_q == harness_accept_limit()) begin
          harness_fault(Stream, FaultNotAccepted, stalled_q);
        end
      end else begin
        stalled_q <= 0;
      end
      if (waiting_q && !valid_i) harness_fault(Stream, FaultValidDropped, 0);
      if (waiting_q && valid_i && payload_i != payload_q) harness_fault(Stream, FaultPayloadChanged, 0);
      // Told once: what is unknown stays so.
      if (!unknown_q && $isunknown({valid_i, ready_i})) begin
        harness_fault(Stream, FaultHandshakeX, 0);
        unknown_q <= 1'b1;
      end
      if (!unknown_q && valid_i && $isunknown(control_i)) begin
        harness_fault(Stream, FaultControlX, 0);
        unknown_q <= 1'b1;
      end
    end
  end

endmodule
