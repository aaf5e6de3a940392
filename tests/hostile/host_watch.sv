// Follows what the guest does to the function: where queue 0 lies, whether a driver runs, which request reads what.
module host_watch #(
    parameter int unsigned DataWidth = 256
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 beat_i,        // a beat of rx_req is accepted
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic [127:0]         hdr_i,
    input  logic [DataWidth-1:0] data_i,
    /* verilator lint_on UNUSEDSIGNAL */
    input  logic                 last_i,
    output logic [31:0]          ring_o,        // address of queue 0, 0 without one
    output logic                 running_o,     // DRIVER_OK is set
    output logic                 was_reset_o,   // a driver was running, and status 0 was written since
    output logic                 bus_master_o,
    output logic                 mastered_o,    // bus master was on at some time
    output logic                 is_kick_o,     // this beat is a notification
    input  logic                 answered_i,    // a completion has passed
    input  logic [7:0]           answer_tag_i,  // of the completion on its way
    output logic                 is_isr_o,      // it answers a read of the ISR
    output logic                 is_size_o,     // ... of the queue size
    output logic                 is_config_o    // ... of the device's configuration
);

  localparam logic [7:0] IoRead = 8'h02, IoWrite = 8'h42, ConfigWrite = 8'h44;

  logic first_q;
  wire [7:0]  kind = hdr_i[127:120];
  /* verilator lint_off UNUSEDSIGNAL */
  wire [3:0]  be = hdr_i[67:64];
  /* verilator lint_on UNUSEDSIGNAL */
  wire [7:0]  tag = hdr_i[79:72];
  wire [5:0]  place = {hdr_i[37:34], 2'b00};  // within BAR0
  wire [9:0]  word = hdr_i[43:34];            // of configuration space
  wire        first = beat_i & first_q;

  // What the latest request under each tag reads.
  typedef enum logic [1:0] {
    Other, Isr, Size, Config
  } asked_e;
  asked_e asked_q[256];
  assign is_isr_o    = (asked_q[answer_tag_i] == Isr);
  assign is_size_o   = (asked_q[answer_tag_i] == Size);
  assign is_config_o = (asked_q[answer_tag_i] == Config);

  asked_e asked;
  always_comb begin
    asked = Other;
    if (kind == IoRead) begin
      if (place == 6'h10 && be[3]) asked = Isr;
      if (place == 6'h0c && be[0]) asked = Size;
      if (place >= 6'h14) asked = Config;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int i = 0; i < 256; i++) asked_q[i] <= Other;
    end else begin
      if (answered_i) asked_q[answer_tag_i] <= Other;
      if (first) asked_q[tag] <= asked;
    end
  end

  assign is_kick_o = first_q & (kind == IoWrite) & (place == 6'h10) & be[0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_q      <= 1'b1;
      ring_o       <= '0;
      running_o    <= 1'b0;
      was_reset_o  <= 1'b0;
      bus_master_o <= 1'b0;
      mastered_o   <= 1'b0;
    end else begin
      if (beat_i) first_q <= last_i;
      if (first && kind == IoWrite && place == 6'h08) ring_o <= {data_i[19:0], 12'd0};
      if (first && kind == IoWrite && place == 6'h10 && be[2]) begin
        running_o   <= data_i[18];
        was_reset_o <= (running_o | was_reset_o) & (data_i[23:16] == '0);
        if (data_i[23:16] == '0) ring_o <= '0;
      end
      if (first && kind == ConfigWrite && word == 10'd1 && be[0]) begin
        bus_master_o <= data_i[2];
        mastered_o   <= mastered_o | data_i[2];
      end
    end
  end

endmodule
