// Returns one descriptor chain to the guest and decides whether that interrupts it.
//
// In this order: the used element (8 bytes), the used index (2 bytes); when both are on the wire the decision
// read: without EVENT_IDX the available ring's flags and index (4 bytes), with EVENT_IDX used_event (2 bytes)
// and, where NOTIFY_ON_EMPTY may still call for an interrupt, flags and index after it. The read pushes the
// writes ahead of it, so the guest that changes its mind has seen the index (VRING-INT-04).
module used_ring
  import virtio_pci_pkg::*;
#(
  parameter int unsigned QueueSize = 256
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic         abort_i,

  input  logic         start_i,
  input  logic [63:0]  queue_addr_i,
  input  logic [15:0]  used_index_i,        // before this chain, free running
  input  logic [15:0]  taken_i,             // chains taken from the available ring, this one included
  input  logic [15:0]  head_i,
  input  logic [31:0]  used_length_i,
  input  logic         event_idx_i,
  input  logic         notify_on_empty_i,
  input  logic         first_i,             // the first decision since reset always interrupts (VRING-INT-03)
  input  logic         writes_open_i,       // a write is not on the wire yet
  output logic         done_o,              // one clock
  output logic         failed_o,            // a decision read failed
  output logic         interrupt_o,
  output logic         available_valid_o,   // the decision read showed the available index
  output logic [15:0]  available_index_o,

  output logic         ring_valid_o,
  output logic         ring_write_o,
  output logic [63:0]  ring_addr_o,
  output logic [4:0]   ring_bytes_o,
  output logic [63:0]  ring_wdata_o,
  input  logic         ring_done_i,
  input  logic         ring_error_i,
  input  logic [31:0]  ring_rdata_i
);

  localparam logic [63:0] FlagsOffset     = 64'(available_offset(QueueSize));
  localparam logic [63:0] UsedEventOffset = FlagsOffset + 64'd4 + 64'(QueueSize) * 64'd2;
  localparam logic [63:0] UsedIndexOffset = 64'(used_offset(QueueSize)) + 64'd2;
  localparam logic [63:0] ElementsOffset  = 64'(used_offset(QueueSize)) + 64'd4;
  localparam logic [15:0] SlotMask        = 16'(QueueSize - 1);

  typedef enum logic [2:0] {
    StIdle, StElement, StIndex, StFlush, StReadEvent, StReadFlags, StDone
  } state_e;

  state_e      state_q, state_d;
  logic        interrupt_q, interrupt_d;
  logic        failed_q, failed_d;
  logic        available_valid_q, available_valid_d;
  logic [15:0] available_index_q, available_index_d;

  logic [15:0] slot;
  assign slot = used_index_i & SlotMask;

  wire event_hit      = first_i | (ring_rdata_i[15:0] == used_index_i);
  wire flags_allow    = ~event_idx_i & ~ring_rdata_i[0];
  wire ring_exhausted = notify_on_empty_i & (ring_rdata_i[31:16] == taken_i);

  assign done_o            = (state_q == StDone);
  assign failed_o          = failed_q;
  assign interrupt_o       = interrupt_q;
  assign available_valid_o = available_valid_q;
  assign available_index_o = available_index_q;

  assign ring_write_o = (state_q == StElement) | (state_q == StIndex);
  assign ring_valid_o = ring_write_o | (state_q == StReadEvent) | (state_q == StReadFlags);

  always_comb begin
    ring_addr_o  = queue_addr_i + FlagsOffset;
    ring_bytes_o = 5'd4;
    ring_wdata_o = {used_length_i, 16'd0, head_i};
    unique case (state_q)
      StElement: begin
        ring_addr_o  = queue_addr_i + ElementsOffset + {45'd0, slot, 3'd0};
        ring_bytes_o = 5'd8;
      end
      StIndex: begin
        ring_addr_o  = queue_addr_i + UsedIndexOffset;
        ring_bytes_o = 5'd2;
        ring_wdata_o = 64'(16'(used_index_i + 16'd1));
      end
      StReadEvent: begin
        ring_addr_o  = queue_addr_i + UsedEventOffset;
        ring_bytes_o = 5'd2;
      end
      default: ;
    endcase
  end

  always_comb begin
    state_d           = state_q;
    interrupt_d       = interrupt_q;
    failed_d          = failed_q;
    available_valid_d = available_valid_q;
    available_index_d = available_index_q;

    unique case (state_q)
      StIdle: begin
        interrupt_d       = 1'b0;
        failed_d          = 1'b0;
        available_valid_d = 1'b0;
        if (start_i) state_d = StElement;
      end
      StElement: if (ring_done_i) state_d = StIndex;
      StIndex: if (ring_done_i) state_d = StFlush;
      StFlush: begin
        if (abort_i) state_d = StDone;
        else if (~writes_open_i) state_d = event_idx_i ? StReadEvent : StReadFlags;
      end
      StReadEvent: begin
        if (ring_done_i) begin
          interrupt_d = event_hit & ~ring_error_i;
          state_d     = (notify_on_empty_i & ~event_hit) ? StReadFlags : StDone;
        end
      end
      StReadFlags: begin
        if (ring_done_i) begin
          interrupt_d       = (flags_allow | ring_exhausted) & ~ring_error_i;
          available_valid_d = ~ring_error_i;
          available_index_d = ring_rdata_i[31:16];
          state_d           = StDone;
        end
      end
      default: state_d = StIdle;
    endcase

    if (ring_done_i & ring_error_i) begin
      failed_d = 1'b1;
      state_d  = StDone;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q           <= StIdle;
      interrupt_q       <= 1'b0;
      failed_q          <= 1'b0;
      available_valid_q <= 1'b0;
      available_index_q <= '0;
    end else begin
      state_q           <= state_d;
      interrupt_q       <= interrupt_d;
      failed_q          <= failed_d;
      available_valid_q <= available_valid_d;
      available_index_q <= available_index_d;
    end
  end

endmodule
