// What the engine remembers of every queue, and which queue has work next.
//
// A queue has work while the device wants its chains and the guest kicked it or the available index seen last
// is ahead of the chains taken. Queues take turns. A stopped queue stays so until reset.
module queue_state #(
  parameter int unsigned NumQueues   = 1,
  parameter int unsigned QueueSize   = 256,
  localparam int unsigned QueueWidth = (NumQueues > 1) ? $clog2(NumQueues) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  reset_i,            // device reset: as after power-up

  input  logic [NumQueues-1:0]  live_i,             // set up by the guest
  input  logic [NumQueues-1:0]  wants_i,            // the device would take a chain
  input  logic                  event_idx_i,
  input  logic                  notify_valid_i,
  input  logic [15:0]           notify_queue_i,

  // Which queue is next.
  output logic                  work_o,
  output logic [QueueWidth-1:0] next_queue_o,
  output logic                  next_has_chain_o,   // no need to read its available index
  input  logic                  select_i,           // next_queue_o goes into service

  // What happens to the queue in service.
  input  logic [QueueWidth-1:0] queue_i,
  input  logic                  index_read_i,       // index_i is its available index
  input  logic [15:0]           index_i,
  input  logic                  event_written_i,    // with index_read_i: avail_event holds taken_o
  input  logic                  taken_i,            // a chain was taken
  input  logic                  returned_i,         // a chain was returned ...
  input  logic                  returned_index_valid_i,  // ... and its decision showed index_i
  input  logic                  stop_i,

  output logic [15:0]           taken_o,            // chains taken, free running
  output logic [15:0]           used_o,             // chains returned, free running
  output logic                  event_due_o,        // with EVENT_IDX: avail_event does not hold taken_o
  output logic                  first_decision_o    // no chain returned since reset
);

  typedef struct packed {
    logic        kicked;       // notified since the available index was read
    logic        stopped;
    logic        decided;      // an interrupt decision was made
    logic        event_valid;  // avail_event was written with `event_at`
    logic [15:0] event_at;
    logic [15:0] seen;         // available index read last
    logic [15:0] taken;
    logic [15:0] used;
  } queue_t;

  queue_t [NumQueues-1:0] queues_q, queues_d;
  logic   [NumQueues-1:0] work;
  logic   [QueueWidth-1:0] last_q;  // the queue served last

  assign taken_o          = queues_q[queue_i].taken;
  assign used_o           = queues_q[queue_i].used;
  assign event_due_o      = event_idx_i &
                            ~(queues_q[queue_i].event_valid & (queues_q[queue_i].event_at == taken_o));
  assign first_decision_o = ~queues_q[queue_i].decided;

  wire too_far = 32'(16'(index_i - taken_o)) > QueueSize;

  // The next queue: the first with work after the one served last.
  always_comb begin
    for (int unsigned q = 0; q < NumQueues; q++) begin
      work[q] = live_i[q] & wants_i[q] & ~queues_q[q].stopped &
                (queues_q[q].kicked | (queues_q[q].seen != queues_q[q].taken));
    end
    next_queue_o = '0;
    for (int unsigned q = NumQueues; q > 0; q--) begin
      if (work[q-1]) next_queue_o = QueueWidth'(q - 1);
    end
    for (int unsigned q = NumQueues; q > 0; q--) begin
      if (work[q-1] & (QueueWidth'(q - 1) > last_q)) next_queue_o = QueueWidth'(q - 1);
    end
  end

  assign work_o           = |work;
  assign next_has_chain_o = queues_q[next_queue_o].seen != queues_q[next_queue_o].taken;

  always_comb begin
    queues_d = queues_q;

    if (select_i & ~next_has_chain_o) queues_d[next_queue_o].kicked = 1'b0;

    if (index_read_i) begin
      queues_d[queue_i].seen = index_i;
      if (event_written_i) begin
        queues_d[queue_i].event_valid = 1'b1;
        queues_d[queue_i].event_at    = taken_o;
      end
    end

    if (taken_i) queues_d[queue_i].taken = taken_o + 16'd1;

    if (returned_i) begin
      queues_d[queue_i].used    = used_o + 16'd1;
      queues_d[queue_i].decided = 1'b1;
      if (returned_index_valid_i) queues_d[queue_i].seen = index_i;
      // Drained: with EVENT_IDX the guest kicks only after it sees the event, so look again.
      if (event_idx_i & (queues_d[queue_i].seen == taken_o)) queues_d[queue_i].kicked = 1'b1;
    end

    if (stop_i | (returned_i & returned_index_valid_i & too_far)) queues_d[queue_i].stopped = 1'b1;

    for (int unsigned q = 0; q < NumQueues; q++) begin
      if (notify_valid_i & (notify_queue_i == 16'(q)) & live_i[q]) queues_d[q].kicked = 1'b1;
    end

    if (reset_i) queues_d = '0;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      queues_q <= '0;
      last_q   <= '0;
    end else begin
      queues_q <= queues_d;
      if (select_i) last_q <= next_queue_o;
    end
  end

endmodule
