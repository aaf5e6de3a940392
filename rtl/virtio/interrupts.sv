// Interrupts of the function: the ISR, the INTx level, and the messages that carry both kinds to the host.
//
// An event sets its ISR bits and, without MSI-X, the INTx level; with MSI-X it is sent as a message, or becomes
// pending where its vector is masked or the function may not send. Each event is one message; one that is not on
// the pins yet is taken back and becomes pending when its vector gets masked or MSI-X disabled, for no event may be
// lost, and is dropped when the device is reset. A read of the ISR clears it but keeps an event of the same clock,
// and takes an asserted line down.
module interrupts
  import virtio_pci_pkg::*;
#(
  parameter int unsigned NumVectors   = 3,
  localparam int unsigned VectorWidth = (NumVectors > 1) ? $clog2(NumVectors) : 1
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   fence_i,             // a reset is under way: no event is taken
  input  logic                   device_reset_i,      // one clock

  // Events. The queue event is taken with ready; a config change is remembered.
  input  logic                   queue_event_valid_i,
  output logic                   queue_event_ready_o,
  input  logic [15:0]            queue_vector_i,
  input  logic                   config_event_i,      // one clock
  input  logic [15:0]            config_vector_i,

  // Registers.
  output logic [7:0]             isr_o,
  input  logic                   isr_clear_i,
  output logic                   settled_o,           // the host has been told of the line's present level
  output logic                   quiet_o,             // no MSI-X message under way
  input  logic                   bus_master_i,
  input  logic                   intx_disable_i,
  output logic                   intx_pending_o,      // Interrupt Status
  input  logic                   msix_enable_i,
  input  logic                   msix_function_mask_i,

  // MSI-X table.
  output logic [VectorWidth-1:0] vector_o,
  input  logic [63:0]            vector_addr_i,
  input  logic [31:0]            vector_data_i,
  input  logic [NumVectors-1:0]  masked_i,
  input  logic [NumVectors-1:0]  pending_i,
  output logic [NumVectors-1:0]  pending_set_o,
  output logic [NumVectors-1:0]  pending_clear_o,

  // Messages.
  output logic                   msg_req_valid_o,
  input  logic                   msg_req_ready_i,     // taken on the pins
  input  logic                   msg_presented_i,     // on the pins
  output logic                   msg_req_msix_o,
  output logic                   msg_req_intx_assert_o,
  output logic [63:0]            msg_addr_o,
  output logic [31:0]            msg_data_o
);

  localparam logic [7:0] IsrQueue  = 8'h01;
  localparam logic [7:0] IsrConfig = 8'h03;  // QEMU's choice: a config change sets both bits

  typedef enum logic [1:0] {StIdle, StIntx, StMsix} state_e;

  state_e                 state_q, state_d;
  logic [7:0]             isr_q, isr_d;
  logic                   level_q, level_d;    // a cause for INTx stands
  logic                   told_q, told_d;      // the line's level the host knows
  logic                   drop_q, drop_d;      // the line must go down once, even if it comes up again
  logic                   assert_q, assert_d;  // content of the INTx message under way
  logic [3:0]             config_events_q, config_events_d;
  logic [VectorWidth-1:0] vector_q, vector_d;  // of the MSI-X message under way

  // The INTx line.
  wire line  = level_q & ~intx_disable_i;
  wire lower = told_q & (drop_q | ~line);
  wire raise = ~told_q & line;

  // The next event.
  wire take_queue   = (state_q == StIdle) & ~lower & ~raise & ~fence_i & queue_event_valid_i;
  wire take_config  = (state_q == StIdle) & ~lower & ~raise & ~fence_i & ~take_queue & (config_events_q != '0);
  wire take_event   = take_queue | take_config;
  logic [15:0]            event_vector;
  logic [VectorWidth-1:0] event_index;
  assign event_vector = take_queue ? queue_vector_i : config_vector_i;
  assign event_index  = VectorWidth'(event_vector);
  wire has_vector     = msix_enable_i & (32'(event_vector) < NumVectors);

  logic [NumVectors-1:0] blocked;
  assign blocked = masked_i | {NumVectors{msix_function_mask_i | ~bus_master_i}};

  // A pending vector that may go.
  logic                   release_any;
  logic [VectorWidth-1:0] release_index;
  always_comb begin
    release_any   = 1'b0;
    release_index = '0;
    for (int unsigned v = NumVectors; v > 0; v--) begin
      if (pending_i[v-1] & ~blocked[v-1]) begin
        release_any   = 1'b1;
        release_index = VectorWidth'(v - 1);
      end
    end
  end
  wire take_pending = (state_q == StIdle) & ~lower & ~raise & ~fence_i & ~take_event & msix_enable_i & release_any;

  // A message not on the pins yet can be taken back.
  wire revoke = (state_q == StMsix) & ~msg_presented_i & (blocked[vector_q] | ~msix_enable_i | fence_i);

  assign queue_event_ready_o = take_queue;
  assign isr_o               = isr_q;
  assign settled_o           = (state_q != StIntx) & ~lower & ~raise;
  assign quiet_o             = (state_q != StMsix);
  assign intx_pending_o      = level_q;
  assign vector_o            = vector_q;

  assign msg_req_valid_o       = (state_q == StIntx) | ((state_q == StMsix) & ~revoke);
  assign msg_req_msix_o        = (state_q == StMsix);
  assign msg_req_intx_assert_o = assert_q;
  assign msg_addr_o            = vector_addr_i;
  assign msg_data_o            = vector_data_i;

  always_comb begin
    pending_set_o   = '0;
    pending_clear_o = '0;
    if (take_event & has_vector & blocked[event_index]) pending_set_o[event_index] = 1'b1;
    if (take_pending) pending_clear_o[release_index] = 1'b1;
    if (revoke & ~fence_i) pending_set_o[vector_q] = 1'b1;
  end

  always_comb begin
    isr_d           = isr_q;
    level_d         = level_q;
    config_events_d = config_events_q;

    if (isr_clear_i) begin
      isr_d   = '0;
      level_d = 1'b0;
    end
    if (take_event) begin
      isr_d   = isr_d | (take_queue ? IsrQueue : IsrConfig);
      level_d = 1'b1;
    end
    if (msix_enable_i) level_d = 1'b0;

    if (config_event_i & (config_events_q != '1)) config_events_d = config_events_d + 4'd1;
    if (take_config) config_events_d = config_events_d - 4'd1;

    if (device_reset_i) begin
      isr_d           = '0;
      level_d         = 1'b0;
      config_events_d = '0;
    end
  end

  always_comb begin
    state_d       = state_q;
    told_d        = told_q;
    drop_d        = drop_q;
    assert_d      = assert_q;
    vector_d      = vector_q;

    unique case (state_q)
      StIdle: begin
        drop_d        = 1'b0;
        assert_d      = raise;
        if (lower | raise) begin
          state_d = StIntx;
        end else if (take_event & has_vector & ~blocked[event_index]) begin
          vector_d = event_index;
          state_d  = StMsix;
        end else if (take_pending) begin
          vector_d = release_index;
          state_d  = StMsix;
        end
      end
      StIntx: begin
        if (msg_req_ready_i) begin
          told_d  = assert_q;
          state_d = StIdle;
        end
      end
      default: if (msg_req_ready_i | revoke) state_d = StIdle;
    endcase

    if (isr_clear_i & level_q) drop_d = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q         <= StIdle;
      isr_q           <= '0;
      level_q         <= 1'b0;
      told_q          <= 1'b0;
      drop_q          <= 1'b0;
      assert_q        <= 1'b0;
      config_events_q <= '0;
      vector_q        <= '0;
    end else begin
      state_q         <= state_d;
      isr_q           <= isr_d;
      level_q         <= level_d;
      told_q          <= told_d;
      drop_q          <= drop_d;
      assert_q        <= assert_d;
      config_events_q <= config_events_d;
      vector_q        <= vector_d;
    end
  end

endmodule
