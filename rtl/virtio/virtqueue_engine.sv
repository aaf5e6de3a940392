// The split virtqueue engine: takes descriptor chains from the guest's rings, lends them to the device one at a
// time, returns them through the used ring and raises the queue's interrupt.
//
// It knows no device. A chain is offered with its queue and lengths; the device moves bytes with op_* and ends
// with chain_complete_i or, where the chain makes no sense to it, chain_reject_i. A malformed chain, a failed
// DMA read or a reject stops the queue until reset. While fence_i is up nothing new starts, every operation of
// the device ends with an error, and quiet_o tells when the engine rests.
module virtqueue_engine
  import virtio_pci_pkg::*;
#(
  parameter int unsigned DataWidth   = 256,
  parameter int unsigned NumQueues   = 1,
  parameter int unsigned QueueSize   = 256,  // power of two, 1..32768
  parameter int unsigned MaxSegments = 256,
  localparam int unsigned BytesWidth = $clog2(DataWidth / 8) + 1,
  localparam int unsigned QueueWidth = (NumQueues > 1) ? $clog2(NumQueues) : 1
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,

  // Registers.
  input  logic [NumQueues-1:0][31:0] queue_pfn_i,        // 0: not set up
  input  logic                       event_idx_i,        // negotiated
  input  logic                       notify_on_empty_i,  // negotiated
  input  logic                       notify_valid_i,
  input  logic [15:0]                notify_queue_i,
  input  logic                       bus_master_i,
  input  logic                       fence_i,
  input  logic                       device_reset_i,     // one clock, while quiet: forget everything
  output logic                       quiet_o,

  // Interrupts: the guest shall hear of this queue. Ready once the event is on its way or recorded.
  output logic                       interrupt_valid_o,
  input  logic                       interrupt_ready_i,
  output logic [QueueWidth-1:0]      interrupt_queue_o,

  // The device. wants_i: the queues it would take a chain from now.
  input  logic [NumQueues-1:0]       wants_i,
  output logic                       chain_valid_o,      // until complete or reject
  output logic [QueueWidth-1:0]      chain_queue_o,
  output logic [LengthWidth-1:0]     chain_readable_o,   // bytes
  output logic [LengthWidth-1:0]     chain_writable_o,
  input  logic                       chain_complete_i,   // one clock
  input  logic [31:0]                chain_used_length_i,
  input  logic                       chain_reject_i,     // one clock
  input  logic                       op_valid_i,
  output logic                       op_ready_o,
  input  transfer_e                  op_kind_i,
  input  logic [LengthWidth-1:0]     op_bytes_i,
  output logic                       op_done_o,
  output logic                       op_error_o,
  output logic                       gather_valid_o,
  input  logic                       gather_ready_i,
  output logic [DataWidth-1:0]       gather_data_o,
  input  logic                       scatter_valid_i,
  output logic                       scatter_ready_o,
  input  logic [DataWidth-1:0]       scatter_data_i,

  // DMA.
  output logic                       rd_req_valid_o,
  input  logic                       rd_req_ready_i,
  output logic [63:0]                rd_req_addr_o,
  output logic [31:0]                rd_req_len_o,
  input  logic                       rd_data_valid_i,
  output logic                       rd_data_ready_o,
  input  logic [DataWidth-1:0]       rd_data_i,
  input  logic [BytesWidth-1:0]      rd_data_bytes_i,
  input  logic                       rd_data_last_i,
  input  logic                       rd_data_error_i,
  output logic                       wr_req_valid_o,
  input  logic                       wr_req_ready_i,
  output logic [63:0]                wr_req_addr_o,
  output logic [31:0]                wr_req_len_o,
  output logic                       wr_data_valid_o,
  input  logic                       wr_data_ready_i,
  output logic [DataWidth-1:0]       wr_data_o,
  input  logic                       wr_done_i
);

  typedef enum logic [2:0] {
    StIdle,
    StReadIndex,   // how far the available ring is filled
    StReadSlot,    // the next head
    StWalk,
    StServe,       // the device has the chain
    StReturn,      // used element, used index, decision
    StInterrupt
  } state_e;

  state_e                state_q, state_d;
  logic [QueueWidth-1:0] queue_q, queue_d;      // the queue in service
  logic [15:0]           head_q, head_d;
  logic [31:0]           used_length_q, used_length_d;

  logic [NumQueues-1:0]  live;
  logic                  work, next_has_chain, event_due, first_decision;
  logic [QueueWidth-1:0] next_queue;
  logic [15:0]           taken, used_index;

  logic        available_done, available_malformed, event_written;
  logic [15:0] available_value;
  logic        walk_done, walk_malformed;
  logic        used_done, used_failed, used_interrupt, used_shows_index;
  logic [15:0] used_shown_index;

  logic [63:0] queue_addr;
  assign queue_addr = {20'd0, queue_pfn_i[queue_q], 12'd0};

  wire select    = (state_q == StIdle) & work & bus_master_i & ~fence_i;
  wire index_ok  = (state_q == StReadIndex) & available_done & ~available_malformed;
  wire slot_ok   = (state_q == StReadSlot) & available_done & ~available_malformed;
  wire walk_ok   = walk_done & ~walk_malformed;
  wire completed = (state_q == StServe) & chain_complete_i;
  wire rejected  = (state_q == StServe) & chain_reject_i;
  wire lost      = (available_done & available_malformed) | (walk_done & walk_malformed) | rejected |
                   (used_done & used_failed);
  wire more      = (state_q == StReadIndex) & (available_value != taken);

  assign quiet_o           = (state_q == StIdle);
  assign interrupt_valid_o = (state_q == StInterrupt) & ~fence_i;
  assign interrupt_queue_o = queue_q;
  assign chain_valid_o     = (state_q == StServe);
  assign chain_queue_o     = queue_q;

  always_comb begin
    for (int unsigned q = 0; q < NumQueues; q++) live[q] = (queue_pfn_i[q] != '0);
  end

  always_comb begin
    state_d       = state_q;
    queue_d       = select ? next_queue : queue_q;
    head_d        = slot_ok ? available_value : head_q;
    used_length_d = completed ? chain_used_length_i : used_length_q;

    unique case (state_q)
      StIdle:      if (select) state_d = next_has_chain ? StReadSlot : StReadIndex;
      StReadIndex: if (index_ok) state_d = more ? StReadSlot : StIdle;
      StReadSlot:  if (slot_ok) state_d = StWalk;
      StWalk:      if (walk_ok) state_d = StServe;
      StServe:     if (completed) state_d = StReturn;
      StReturn:    if (used_done) state_d = used_interrupt ? StInterrupt : StIdle;
      default:     if (interrupt_ready_i | fence_i) state_d = StIdle;
    endcase
    if (lost) state_d = StIdle;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= StIdle;
      queue_q       <= '0;
      head_q        <= '0;
      used_length_q <= '0;
    end else begin
      state_q       <= state_d;
      queue_q       <= queue_d;
      head_q        <= head_d;
      used_length_q <= used_length_d;
    end
  end

  queue_state #(
    .NumQueues (NumQueues),
    .QueueSize (QueueSize)
  ) u_queues (
    .clk_i,
    .rst_ni,
    .reset_i                (device_reset_i),
    .live_i                 (live),
    .wants_i,
    .event_idx_i,
    .notify_valid_i,
    .notify_queue_i,
    .work_o                 (work),
    .next_queue_o           (next_queue),
    .next_has_chain_o       (next_has_chain),
    .select_i               (select),
    .queue_i                (queue_q),
    .index_read_i           (index_ok),
    .index_i                (used_done ? used_shown_index : available_value),
    .event_written_i        (event_written),
    .taken_i                (slot_ok),
    .returned_i             (used_done & ~used_failed),
    .returned_index_valid_i (used_shows_index),
    .stop_i                 (lost),
    .taken_o                (taken),
    .used_o                 (used_index),
    .event_due_o            (event_due),
    .first_decision_o       (first_decision)
  );

  // Ring memory: three users, one at a time.
  logic         available_ring_valid, available_ring_write, walk_ring_valid, used_ring_valid, used_ring_write;
  logic [63:0]  available_ring_addr, available_ring_wdata, walk_ring_addr, used_ring_addr, used_ring_wdata;
  logic [4:0]   used_ring_bytes;
  logic         ring_valid, ring_write, ring_done, ring_error;
  logic [63:0]  ring_addr, ring_wdata;
  logic [4:0]   ring_bytes;
  logic [127:0] ring_rdata;
  logic         writes_open;  // a write has not been taken on the pins completely

  always_comb begin
    ring_valid = used_ring_valid;
    ring_write = used_ring_write;
    ring_addr  = used_ring_addr;
    ring_wdata = used_ring_wdata;
    ring_bytes = used_ring_bytes;
    if (walk_ring_valid) begin
      ring_valid = 1'b1;
      ring_write = 1'b0;
      ring_addr  = walk_ring_addr;
      ring_bytes = 5'd16;
    end else if (available_ring_valid) begin
      ring_valid = 1'b1;
      ring_write = available_ring_write;
      ring_addr  = available_ring_addr;
      ring_wdata = available_ring_wdata;
      ring_bytes = 5'd2;
    end
  end

  available_ring #(
    .QueueSize (QueueSize)
  ) u_available (
    .clk_i,
    .rst_ni,
    .start_i         (select | (index_ok & more)),
    .next_i          (select ? next_has_chain : 1'b1),
    .queue_addr_i    (queue_addr),
    .taken_i         (taken),
    .event_due_i     (event_due),
    .writes_open_i   (writes_open),
    .done_o          (available_done),
    .malformed_o     (available_malformed),
    .value_o         (available_value),
    .event_written_o (event_written),
    .ring_valid_o    (available_ring_valid),
    .ring_write_o    (available_ring_write),
    .ring_addr_o     (available_ring_addr),
    .ring_wdata_o    (available_ring_wdata),
    .ring_done_i     (ring_done),
    .ring_error_i    (ring_error),
    .ring_rdata_i    (ring_rdata[15:0])
  );

  localparam int unsigned IndexWidth = (MaxSegments > 1) ? $clog2(MaxSegments) : 1;
  localparam int unsigned CountWidth = $clog2(MaxSegments + 1);
  logic [CountWidth-1:0] readable_segments, total_segments;
  logic                  segment_write;
  logic [IndexWidth-1:0] segment_write_index, segment_read_index;
  logic [63:0]           segment_write_addr, segment_read_addr;
  logic [31:0]           segment_write_len, segment_read_len;

  chain_walker #(
    .QueueSize   (QueueSize),
    .MaxSegments (MaxSegments)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i             (slot_ok),
    .table_addr_i        (queue_addr),
    .head_i              (available_value),
    .done_o              (walk_done),
    .malformed_o         (walk_malformed),
    .readable_segments_o (readable_segments),
    .total_segments_o    (total_segments),
    .readable_bytes_o    (chain_readable_o),
    .writable_bytes_o    (chain_writable_o),
    .ring_valid_o        (walk_ring_valid),
    .ring_addr_o         (walk_ring_addr),
    .ring_done_i         (ring_done),
    .ring_error_i        (ring_error),
    .ring_rdata_i        (ring_rdata),
    .segment_write_o     (segment_write),
    .segment_index_o     (segment_write_index),
    .segment_addr_o      (segment_write_addr),
    .segment_len_o       (segment_write_len)
  );

  segment_memory #(
    .MaxSegments (MaxSegments)
  ) u_segments (
    .clk_i,
    .write_i       (segment_write),
    .write_index_i (segment_write_index),
    .write_addr_i  (segment_write_addr),
    .write_len_i   (segment_write_len),
    .read_index_i  (segment_read_index),
    .read_addr_o   (segment_read_addr),
    .read_len_o    (segment_read_len)
  );

  used_ring #(
    .QueueSize (QueueSize)
  ) u_used (
    .clk_i,
    .rst_ni,
    .abort_i           (fence_i),
    .start_i           (completed),
    .queue_addr_i      (queue_addr),
    .used_index_i      (used_index),
    .taken_i           (taken),
    .head_i            (head_q),
    .used_length_i     (used_length_q),
    .event_idx_i,
    .notify_on_empty_i,
    .first_i           (first_decision),
    .writes_open_i     (writes_open),
    .done_o            (used_done),
    .failed_o          (used_failed),
    .interrupt_o       (used_interrupt),
    .available_valid_o (used_shows_index),
    .available_index_o (used_shown_index),
    .ring_valid_o      (used_ring_valid),
    .ring_write_o      (used_ring_write),
    .ring_addr_o       (used_ring_addr),
    .ring_bytes_o      (used_ring_bytes),
    .ring_wdata_o      (used_ring_wdata),
    .ring_done_i       (ring_done),
    .ring_error_i      (ring_error),
    .ring_rdata_i      (ring_rdata[31:0])
  );

  // DMA: the device's bytes while it has the chain, ring memory otherwise.
  wire serving = (state_q == StServe);
  logic                 ring_rd_valid, ring_rd_ready, mover_rd_valid, mover_rd_ready;
  logic                 ring_wr_valid, ring_wr_data_valid, mover_wr_valid, mover_wr_data_valid;
  logic [63:0]          ring_rd_addr, mover_rd_addr, ring_wr_addr, mover_wr_addr, ring_wr_data;
  logic [31:0]          ring_rd_len, mover_rd_len, ring_wr_len, mover_wr_len;
  logic [DataWidth-1:0] mover_wr_data;

  assign rd_req_valid_o  = serving ? mover_rd_valid : ring_rd_valid;
  assign rd_req_addr_o   = serving ? mover_rd_addr : ring_rd_addr;
  assign rd_req_len_o    = serving ? mover_rd_len : ring_rd_len;
  assign rd_data_ready_o = serving ? mover_rd_ready : ring_rd_ready;
  assign wr_req_valid_o  = serving ? mover_wr_valid : ring_wr_valid;
  assign wr_req_addr_o   = serving ? mover_wr_addr : ring_wr_addr;
  assign wr_req_len_o    = serving ? mover_wr_len : ring_wr_len;
  assign wr_data_valid_o = serving ? mover_wr_data_valid : ring_wr_data_valid;
  assign wr_data_o       = serving ? mover_wr_data : DataWidth'(ring_wr_data);

  logic [7:0] writes_open_q;
  assign writes_open = (writes_open_q != '0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      writes_open_q <= '0;
    end else if (fence_i) begin
      writes_open_q <= '0;
    end else if ((wr_req_valid_o & wr_req_ready_i) != wr_done_i) begin
      writes_open_q <= wr_done_i ? writes_open_q - 8'd1 : writes_open_q + 8'd1;
    end
  end

  ring_access u_ring (
    .clk_i,
    .rst_ni,
    .abort_i         (fence_i),
    .req_valid_i     (ring_valid),
    .req_write_i     (ring_write),
    .req_addr_i      (ring_addr),
    .req_bytes_i     (ring_bytes),
    .req_wdata_i     (ring_wdata),
    .rsp_valid_o     (ring_done),
    .rsp_error_o     (ring_error),
    .rsp_rdata_o     (ring_rdata),
    .rd_req_valid_o  (ring_rd_valid),
    .rd_req_ready_i  (rd_req_ready_i),
    .rd_req_addr_o   (ring_rd_addr),
    .rd_req_len_o    (ring_rd_len),
    .rd_data_valid_i (rd_data_valid_i & ~serving),
    .rd_data_ready_o (ring_rd_ready),
    .rd_data_i       (128'(rd_data_i)),
    .rd_data_last_i,
    .rd_data_error_i,
    .wr_req_valid_o  (ring_wr_valid),
    .wr_req_ready_i,
    .wr_req_addr_o   (ring_wr_addr),
    .wr_req_len_o    (ring_wr_len),
    .wr_data_valid_o (ring_wr_data_valid),
    .wr_data_ready_i,
    .wr_data_o       (ring_wr_data)
  );

  segment_mover #(
    .DataWidth   (DataWidth),
    .MaxSegments (MaxSegments)
  ) u_mover (
    .clk_i,
    .rst_ni,
    .abort_i             (fence_i),
    .rewind_i            (walk_ok),
    .readable_segments_i (readable_segments),
    .total_segments_i    (total_segments),
    .segment_index_o     (segment_read_index),
    .segment_addr_i      (segment_read_addr),
    .segment_len_i       (segment_read_len),
    .op_valid_i,
    .op_ready_o,
    .op_kind_i,
    .op_bytes_i,
    .op_done_o,
    .op_error_o,
    .gather_valid_o,
    .gather_ready_i,
    .gather_data_o,
    .scatter_valid_i,
    .scatter_ready_o,
    .scatter_data_i,
    .rd_req_valid_o      (mover_rd_valid),
    .rd_req_ready_i      (rd_req_ready_i & serving),
    .rd_req_addr_o       (mover_rd_addr),
    .rd_req_len_o        (mover_rd_len),
    .rd_data_valid_i     (rd_data_valid_i & serving),
    .rd_data_ready_o     (mover_rd_ready),
    .rd_data_i,
    .rd_data_bytes_i,
    .rd_data_last_i,
    .rd_data_error_i,
    .wr_req_valid_o      (mover_wr_valid),
    .wr_req_ready_i      (wr_req_ready_i & serving),
    .wr_req_addr_o       (mover_wr_addr),
    .wr_req_len_o        (mover_wr_len),
    .wr_data_valid_o     (mover_wr_data_valid),
    .wr_data_ready_i     (wr_data_ready_i & serving),
    .wr_data_o           (mover_wr_data)
  );

endmodule
