// The table of outstanding DMA reads, and the check of every completion against it.
//
// A slot is one read request on the bus; slots are used in turn, and given back in the same order. The tag of a read is
// {generation, slot}: the generation moves on with every use of the slot, so that a stray completion finds no owner.
// A tag whose read timed out or got a malformed completion is in quarantine for one to two more timeout periods.
//
// What a completion of an outstanding read does:
//   success, byte count / lower address / length as expected    its data are stored; the last one ends the read
//   ... and poisoned                                            the same, but the read has failed
//   UR (or a reserved status), CA                               the read has failed, nothing more is expected
//   configuration retry                                         the same, and malformed
//   wrong byte count, lower address, length or beat count       malformed: the read has failed, tag in quarantine
// Any other completion is unexpected and is dropped. A read that is not complete CompletionTimeout clocks after it was
// taken on the pins has failed.

module dma_read_tags
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth         = 256,
  parameter int unsigned NumTags           = 8,
  parameter int unsigned CompletionTimeout = 125_000,
  parameter int unsigned RequestIdBits     = 2,
  localparam int unsigned SlotBits         = $clog2(NumTags),
  localparam int unsigned DwBits           = $clog2(MaxDmaBytes / 4)
) (
  input  logic                     clk_i,
  input  logic                     rst_ni,
  input  logic [15:0]              function_id_i,

  // A new read, at the tag offered.
  output logic                     tag_ready_o,
  output logic [7:0]               tag_o,
  input  logic                     open_i,
  input  logic [DmaLenWidth-2:0]   open_addr_i,     // byte address modulo MaxDmaBytes
  input  dma_len_t                 open_len_i,
  input  logic [RequestIdBits-1:0] open_request_i,
  input  logic                     open_end_i,      // last read of the client's request

  input  logic                     sent_i,
  input  logic [7:0]               sent_tag_i,

  // Completions.
  input  logic                     cpl_valid_i,
  input  logic [127:32]            cpl_hdr_i,       // a completion's header has 3 DWs
  input  logic [DataWidth-1:0]     cpl_data_i,
  input  logic                     cpl_last_i,

  // To the buffer.
  output logic                     write_o,
  output logic [SlotBits-1:0]      write_slot_o,
  output logic [DwBits-1:0]        write_dw_o,
  output logic [DwBits:0]          write_count_o,
  output logic [DataWidth-1:0]     write_data_o,

  // The oldest read.
  output logic                     head_used_o,
  output logic                     head_done_o,
  output logic                     head_failed_o,
  output logic [SlotBits-1:0]      head_slot_o,
  output logic [DmaLenWidth-2:0]   head_first_o,    // place of its first and last byte in the slot
  output logic [DmaLenWidth-2:0]   head_last_o,
  output logic [RequestIdBits-1:0] head_request_o,
  output logic                     head_end_o,
  input  logic                     pop_i,           // only when done

  output logic                     failed_o,        // the read of a slot in use has failed
  output logic                     used_o,          // any slot in use
  output logic                     outstanding_o,   // a read on the bus is not complete
  output pcie_error_t              error_o
);

  localparam int unsigned Lanes     = DataWidth / 32;
  localparam int unsigned TimerBits = $clog2(CompletionTimeout + 1);
  localparam int unsigned GenBits   = 2;
  localparam int unsigned TagBits   = GenBits + SlotBits;

  typedef logic [SlotBits-1:0]    slot_t;
  typedef logic [GenBits-1:0]     gen_t;
  typedef logic [TimerBits-1:0]   timer_t;
  typedef logic [DmaLenWidth-2:0] place_t;
  typedef logic [DwBits:0]        dw_count_t;   // 0 .. 128

  typedef struct packed {
    logic                     used;
    logic                     sent;
    logic                     done;
    logic                     failed;
    logic                     last_of_request;
    logic [RequestIdBits-1:0] request;
    place_t                   first;     // of the whole read
    place_t                   last;
    place_t                   next;      // first byte still to come
    dma_len_t                 left;      // bytes still to come
    timer_t                   timer;
  } slot_state_t;

  slot_state_t [NumTags-1:0] slot_q;
  gen_t        [NumTags-1:0] gen_q;
  slot_t                     tail_q, head_q;

  // Completion beat, registered.

  logic                 beat_valid_q, beat_first_q, beat_last_q;
  logic [127:32]        hdr_q;
  logic [DataWidth-1:0] data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_valid_q <= 1'b0;
      beat_first_q <= 1'b1;
      beat_last_q  <= 1'b1;
      hdr_q        <= '0;
      data_q       <= '0;
    end else begin
      beat_valid_q <= cpl_valid_i;
      if (beat_valid_q) beat_first_q <= beat_last_q;
      if (cpl_valid_i) begin
        beat_last_q <= cpl_last_i;
        hdr_q       <= cpl_hdr_i;
        data_q      <= cpl_data_i;
      end
    end
  end

  // First beat: whose is it, and is it what that read expects?

  slot_t       hdr_slot;
  place_t      owner_next;
  dma_len_t    owner_left;
  logic        is_completion, has_data, owned, success, as_expected;
  logic [10:0] hdr_length;
  dw_count_t   owner_dws;

  assign has_data      = hdr_q[126];
  assign is_completion = hdr_q[127] == 1'b0 && hdr_q[125] == 1'b0 && hdr_q[124:120] == TypeCompletion;
  assign hdr_length    = {hdr_q[105:96] == '0, hdr_q[105:96]};
  assign hdr_slot      = hdr_q[40 +: SlotBits];
  assign owner_next    = slot_q[hdr_slot].next;
  assign owner_left    = slot_q[hdr_slot].left;
  assign owned         = is_completion && hdr_q[63:48] == function_id_i &&
                         hdr_q[47:40] == 8'({gen_q[hdr_slot], hdr_slot}) &&
                         slot_q[hdr_slot].sent && !slot_q[hdr_slot].done;
  assign success       = hdr_q[79:77] == CplSuccess;
  assign owner_dws     = dw_count_t'(((DmaLenWidth+1)'(owner_next[1:0]) + (DmaLenWidth+1)'(owner_left) +
                                      (DmaLenWidth+1)'(3)) >> 2);
  assign as_expected   = has_data && hdr_q[75:64] == 12'(owner_left) && hdr_q[38:32] == owner_next[6:0] &&
                         hdr_length <= 11'(owner_dws);

  // The current TLP.

  slot_t     cur_slot, cur_slot_q;
  logic      cur_drop, drop_q;
  dw_count_t cur_left, left_q;          // DWs of this TLP from this beat on
  logic [DwBits-1:0] cur_dw, dw_q;      // place of this beat in the slot
  place_t    after_q, after, cur_after; // what the slot expects once the TLP is through
  dma_len_t  bytes_left_q, bytes_left, cur_bytes_left;
  logic      whole_q, whole, cur_whole;

  logic reject, refuse, beat_end, misframed, commit;

  // This TLP carries (length * 4 - offset in the first DW) bytes, or all that are left.
  assign whole      = hdr_length == 11'(owner_dws);
  assign bytes_left = owner_left - (dma_len_t'({hdr_length[DwBits:0], 2'b00}) - dma_len_t'(owner_next[1:0]));
  assign after      = {owner_next[DmaLenWidth-2:2] + hdr_length[DwBits-1:0], 2'b00};

  assign reject = beat_valid_q && beat_first_q && owned && !success;
  assign refuse = beat_valid_q && beat_first_q && owned && success && !as_expected;

  assign cur_slot       = beat_first_q ? hdr_slot : cur_slot_q;
  assign cur_drop       = beat_first_q ? !(owned && success && as_expected) : drop_q;
  assign cur_left       = beat_first_q ? hdr_length[DwBits:0] : left_q;
  assign cur_dw         = beat_first_q ? owner_next[DmaLenWidth-2:2] : dw_q;
  assign cur_after      = beat_first_q ? after : after_q;
  assign cur_bytes_left = beat_first_q ? bytes_left : bytes_left_q;
  assign cur_whole      = beat_first_q ? whole : whole_q;

  assign beat_end  = cur_left <= dw_count_t'(Lanes);
  assign misframed = beat_valid_q && !cur_drop && beat_end != beat_last_q;
  assign commit    = beat_valid_q && !cur_drop && beat_end && beat_last_q;

  assign write_o       = beat_valid_q && !cur_drop;
  assign write_slot_o  = cur_slot;
  assign write_dw_o    = cur_dw;
  assign write_count_o = cur_left;
  assign write_data_o  = data_q;

  // Timeouts; a beat that is being stored goes first.

  logic [NumTags-1:0] expired;

  always_comb begin
    for (int unsigned s = 0; s < NumTags; s++) begin
      expired[s] = slot_q[s].sent && !slot_q[s].done && slot_q[s].timer == timer_t'(CompletionTimeout) &&
                   !(beat_valid_q && cur_slot == slot_t'(s));
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      cur_slot_q   <= '0;
      drop_q       <= 1'b1;
      left_q       <= '0;
      dw_q         <= '0;
      after_q      <= '0;
      bytes_left_q <= '0;
      whole_q      <= 1'b0;
    end else if (beat_valid_q) begin
      cur_slot_q   <= cur_slot;
      drop_q       <= cur_drop || misframed;
      left_q       <= cur_left - dw_count_t'(Lanes);
      dw_q         <= cur_dw + DwBits'(Lanes);
      after_q      <= cur_after;
      bytes_left_q <= cur_bytes_left;
      whole_q      <= cur_whole;
    end else if (expired[cur_slot_q]) begin
      drop_q       <= 1'b1;
    end
  end

  // Slots.

  slot_t sent_slot;
  assign sent_slot = sent_tag_i[SlotBits-1:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slot_q <= '0;
    end else begin
      for (int unsigned s = 0; s < NumTags; s++) begin
        if (slot_q[s].sent && slot_q[s].timer != timer_t'(CompletionTimeout)) begin
          slot_q[s].timer <= slot_q[s].timer + timer_t'(1);
        end
        if (expired[s]) begin
          slot_q[s].done   <= 1'b1;
          slot_q[s].failed <= 1'b1;
        end
      end
      if (reject || refuse || misframed) begin
        slot_q[cur_slot].done   <= 1'b1;
        slot_q[cur_slot].failed <= 1'b1;
      end
      if (write_o && beat_first_q && hdr_q[110]) slot_q[cur_slot].failed <= 1'b1;
      if (commit) begin
        slot_q[cur_slot].next <= cur_after;
        slot_q[cur_slot].left <= cur_bytes_left;
        slot_q[cur_slot].done <= cur_whole;
      end
      if (sent_i) slot_q[sent_slot].sent <= 1'b1;
      if (pop_i)  slot_q[head_q] <= '0;
      if (open_i) begin
        slot_q[tail_q] <= '{
          used:            1'b1,
          sent:            1'b0,
          done:            1'b0,
          failed:          1'b0,
          last_of_request: open_end_i,
          request:         open_request_i,
          first:           open_addr_i,
          last:            open_addr_i + place_t'(open_len_i - dma_len_t'(1)),
          next:            open_addr_i,
          left:            open_len_i,
          timer:           '0
        };
      end
    end
  end

  // Tags.

  logic [2**TagBits-1:0] barred, bar;
  logic [TagBits-1:0]    next_tag;
  logic                  quarantined;

  assign next_tag    = {gen_q[tail_q], tail_q};
  assign quarantined = barred[next_tag];
  assign tag_ready_o = !slot_q[tail_q].used && !quarantined;
  assign tag_o       = 8'(next_tag);

  always_comb begin
    bar = '0;
    for (int unsigned s = 0; s < NumTags; s++) begin
      if (expired[s]) bar[{gen_q[s], slot_t'(s)}] = 1'b1;
    end
    if (refuse || misframed) bar[{gen_q[cur_slot], cur_slot}] = 1'b1;
  end

  tag_quarantine #(.Tags(2 ** TagBits), .Period(CompletionTimeout)) u_quarantine (
    .clk_i,
    .rst_ni,
    .bar_i    (bar),
    .barred_o (barred)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      gen_q  <= '0;
      tail_q <= '0;
      head_q <= '0;
    end else begin
      if (open_i)                                     tail_q <= tail_q + slot_t'(1);
      else if (!slot_q[tail_q].used && quarantined)   gen_q[tail_q] <= gen_q[tail_q] + gen_t'(1);
      if (pop_i) begin
        head_q        <= head_q + slot_t'(1);
        gen_q[head_q] <= gen_q[head_q] + gen_t'(1);
      end
    end
  end

  // Views.

  assign head_used_o    = slot_q[head_q].used;
  assign head_done_o    = slot_q[head_q].done;
  assign head_failed_o  = slot_q[head_q].failed;
  assign head_slot_o    = head_q;
  assign head_first_o   = slot_q[head_q].first;
  assign head_last_o    = slot_q[head_q].last;
  assign head_request_o = slot_q[head_q].request;
  assign head_end_o     = slot_q[head_q].last_of_request;

  always_comb begin
    failed_o      = 1'b0;
    used_o        = 1'b0;
    outstanding_o = 1'b0;
    for (int unsigned s = 0; s < NumTags; s++) begin
      if (slot_q[s].used && slot_q[s].failed) failed_o = 1'b1;
      if (slot_q[s].used) used_o = 1'b1;
      if (slot_q[s].sent && !slot_q[s].done) outstanding_o = 1'b1;
    end
  end

  always_comb begin
    error_o = '0;
    error_o.received_target_abort = reject && hdr_q[79:77] == CplAbort;
    error_o.received_master_abort = reject && hdr_q[79:77] != CplAbort && hdr_q[79:77] != CplRetry;
    error_o.poisoned              = beat_valid_q && beat_first_q && has_data && hdr_q[110];
    error_o.poisoned_completion   = error_o.poisoned && owned;
    error_o.completion_timeout    = |expired;
    error_o.unexpected_completion = beat_valid_q && beat_first_q && !owned;
    error_o.malformed_completion  = refuse || misframed || (reject && hdr_q[79:77] == CplRetry);
  end

  logic unused_hdr;
  assign unused_hdr = ^{hdr_q[119:111], hdr_q[109:106], hdr_q[95:80], hdr_q[76], hdr_q[39], sent_tag_i[7:SlotBits]};

endmodule
