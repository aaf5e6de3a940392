// Watches one packet channel: the rules of its pins, and its packets as readable signals. It drives nothing.
module packet_channel_watch
  import harness_pkg::*;
#(
    parameter int unsigned DataWidth  = 256,
    parameter stream_e     Stream     = StreamRxReq,
    parameter int unsigned StallLimit = 100_000
) (
    input logic                 clk_i,
    input logic                 rst_ni,
    input logic                 valid_i,
    input logic                 ready_i,
    input logic [127:0]         hdr_i,
    input logic [DataWidth-1:0] data_i,
    input logic                 last_i
);
  timeunit 1ns;
  timeprecision 1ns;

  // The header counts on the first beat only, the data only where the packet has some.
  logic         first_q;
  logic [127:0] held_hdr;

  assign held_hdr = first_q ? hdr_i : '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) first_q <= 1'b1;
    else if (valid_i && ready_i) first_q <= last_i;
  end

  stream_checker #(
      .Stream      (Stream),
      .Width       (DataWidth + 129),
      .ControlWidth(129),
      .StallLimit  (StallLimit)
  ) u_checker (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_i,
      .control_i({last_i, held_hdr}),
      .payload_i({last_i, held_hdr, data_i})
  );

  packet_view u_view (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_i,
      .last_i,
      .hdr_i
  );

endmodule
