// The device's dealings with one queue's available ring: how far it is filled, which head comes next, and with
// EVENT_IDX the index at which the guest shall kick again.
//
// One step per start_i, ended by done_o, with which the next may start:
//   next_i = 0  read the available index (2 bytes). If the ring is empty and event_due_i is up, write
//               avail_event (2 bytes) and read the index once more, because the guest may have added chains
//               before it could see the event (VRING-AV-09).
//   next_i = 1  read the slot at taken_i (2 bytes).
module available_ring
  import virtio_pci_pkg::*;
#(
  parameter int unsigned QueueSize = 256
) (
  input  logic         clk_i,
  input  logic         rst_ni,

  input  logic         start_i,
  input  logic         next_i,
  input  logic [63:0]  queue_addr_i,
  input  logic [15:0]  taken_i,        // chains taken so far, free running
  input  logic         event_due_i,    // EVENT_IDX is on and avail_event does not hold taken_i
  input  logic         writes_open_i,  // a write is not on the wire yet
  output logic         done_o,         // one clock
  output logic         malformed_o,    // failed read, or an index further than the queue is long
  output logic [15:0]  value_o,        // the available index, or the head
  output logic         event_written_o,

  output logic         ring_valid_o,
  output logic         ring_write_o,
  output logic [63:0]  ring_addr_o,
  output logic [63:0]  ring_wdata_o,
  input  logic         ring_done_i,
  input  logic         ring_error_i,
  input  logic [15:0]  ring_rdata_i
);

  localparam logic [63:0] IndexOffset = 64'(available_offset(QueueSize)) + 64'd2;
  localparam logic [63:0] SlotsOffset = 64'(available_offset(QueueSize)) + 64'd4;
  localparam logic [63:0] EventOffset = 64'(used_offset(QueueSize)) + 64'd4 + 64'(QueueSize) * 64'd8;
  localparam logic [15:0] SlotMask    = 16'(QueueSize - 1);

  typedef enum logic [2:0] {StIdle, StReadIndex, StWriteEvent, StFlush, StReadSlot, StDone} state_e;

  state_e      state_q, state_d;
  logic [15:0] value_q, value_d;
  logic        malformed_q, malformed_d;
  logic        event_written_q, event_written_d;

  logic [15:0] slot;
  assign slot = taken_i & SlotMask;

  wire empty   = ring_rdata_i == taken_i;
  wire too_far = 32'(16'(ring_rdata_i - taken_i)) > QueueSize;

  assign done_o          = (state_q == StDone);
  assign malformed_o     = malformed_q;
  assign value_o         = value_q;
  assign event_written_o = event_written_q;

  assign ring_valid_o = (state_q == StReadIndex) | (state_q == StWriteEvent) | (state_q == StReadSlot);
  assign ring_write_o = (state_q == StWriteEvent);
  assign ring_wdata_o = 64'(taken_i);

  always_comb begin
    unique case (state_q)
      StReadSlot:   ring_addr_o = queue_addr_i + SlotsOffset + {47'd0, slot, 1'b0};
      StWriteEvent: ring_addr_o = queue_addr_i + EventOffset;
      default:      ring_addr_o = queue_addr_i + IndexOffset;
    endcase
  end

  always_comb begin
    state_d         = state_q;
    value_d         = value_q;
    malformed_d     = malformed_q;
    event_written_d = event_written_q;

    unique case (state_q)
      StReadIndex: begin
        if (ring_done_i) begin
          value_d     = ring_rdata_i;
          malformed_d = ring_error_i | too_far;
          state_d     = (empty & event_due_i & ~event_written_q & ~ring_error_i) ? StWriteEvent : StDone;
        end
      end
      StWriteEvent: begin
        if (ring_done_i) begin
          event_written_d = 1'b1;
          malformed_d     = ring_error_i;
          state_d         = ring_error_i ? StDone : StFlush;
        end
      end
      StFlush: if (~writes_open_i) state_d = StReadIndex;
      StReadSlot: begin
        if (ring_done_i) begin
          value_d     = ring_rdata_i;
          malformed_d = ring_error_i;
          state_d     = StDone;
        end
      end
      StDone: state_d = StIdle;
      default: ;
    endcase

    if (start_i) begin
      malformed_d     = 1'b0;
      event_written_d = 1'b0;
      state_d         = next_i ? StReadSlot : StReadIndex;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q         <= StIdle;
      value_q         <= '0;
      malformed_q     <= 1'b0;
      event_written_q <= 1'b0;
    end else begin
      state_q         <= state_d;
      value_q         <= value_d;
      malformed_q     <= malformed_d;
      event_written_q <= event_written_d;
    end
  end

endmodule
