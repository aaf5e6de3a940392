// The ready of one stream that the function drives: always, or throttled as Python has set it.
module packet_sink
  import harness_pkg::*;
#(
    parameter stream_e Stream = StreamTxReq
) (
    input  logic clk_i,
    input  logic rst_ni,
    output logic ready_o
);
  timeunit 1ns;
  timeprecision 1ns;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ready_o <= 1'b0;
    else ready_o <= harness_ready(Stream);
  end

endmodule
