// Tags that must not be used for a while: a barred tag is free again after one to two periods.

module tag_quarantine #(
  parameter int unsigned Tags   = 32,
  parameter int unsigned Period = 125_000   // clocks
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic [Tags-1:0] bar_i,
  output logic [Tags-1:0] barred_o
);

  localparam int unsigned TimerBits = $clog2(Period + 1);
  typedef logic [TimerBits-1:0] timer_t;

  logic [Tags-1:0] young_q, old_q;   // barred in this period, and in the one before
  timer_t          timer_q;
  logic            tick;

  assign tick     = timer_q == timer_t'(Period);
  assign barred_o = young_q | old_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      young_q <= '0;
      old_q   <= '0;
      timer_q <= '0;
    end else begin
      timer_q <= (tick || barred_o == '0) ? '0 : timer_q + timer_t'(1);
      young_q <= (tick ? '0 : young_q) | bar_i;
      if (tick) old_q <= young_q;
    end
  end

endmodule
