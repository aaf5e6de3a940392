// Walks one descriptor chain completely, before anything of it is served.
//
// Every descriptor is fetched once, alone, in chain order, and acted on from the private copy (VRING-DESC-12).
// Its buffers go to the segment memory, readable ones first. A malformed chain or a failed read ends the walk
// with malformed_o: the queue shall stop. Results hold from done_o until the next start_i.
module chain_walker
  import virtio_pci_pkg::*;
#(
  parameter int unsigned QueueSize   = 256,
  parameter int unsigned MaxSegments = 256,
  localparam int unsigned IndexWidth = (MaxSegments > 1) ? $clog2(MaxSegments) : 1,
  localparam int unsigned CountWidth = $clog2(MaxSegments + 1)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  input  logic                   start_i,
  input  logic [63:0]            table_addr_i,   // of the queue's own descriptor table
  input  logic [15:0]            head_i,
  output logic                   done_o,         // one clock
  output logic                   malformed_o,
  output logic [CountWidth-1:0]  readable_segments_o,
  output logic [CountWidth-1:0]  total_segments_o,
  output logic [LengthWidth-1:0] readable_bytes_o,
  output logic [LengthWidth-1:0] writable_bytes_o,

  output logic                   ring_valid_o,
  output logic [63:0]            ring_addr_o,
  input  logic                   ring_done_i,
  input  logic                   ring_error_i,
  input  logic [127:0]           ring_rdata_i,

  output logic                   segment_write_o,
  output logic [IndexWidth-1:0]  segment_index_o,
  output logic [63:0]            segment_addr_o,
  output logic [31:0]            segment_len_o
);

  typedef struct packed {
    logic [15:0] next;
    logic [15:0] flags;
    logic [31:0] len;
    logic [63:0] addr;
  } descriptor_t;

  // The table the walk is in: the queue's own, then perhaps an indirect one (never deeper).
  typedef struct packed {
    logic        indirect;
    logic [63:0] addr;
    logic [27:0] entries;
    logic [15:0] index;    // of the descriptor to fetch
    logic [27:0] fetched;  // descriptors fetched from this table
  } walk_t;

  typedef enum logic [1:0] {StIdle, StFetch, StDone} state_e;

  state_e                 state_q, state_d;
  walk_t                  walk_q, walk_d;
  logic                   malformed_q, malformed_d;
  logic [CountWidth-1:0]  readable_q, readable_d, total_q, total_d;
  logic [LengthWidth-1:0] readable_bytes_q, readable_bytes_d, writable_bytes_q, writable_bytes_d;

  // What the fetched descriptor says.
  descriptor_t descriptor;
  assign descriptor = ring_rdata_i;
  wire is_table = descriptor.flags[DescriptorIndirect];
  wire is_write = descriptor.flags[DescriptorWrite];
  wire has_next = descriptor.flags[DescriptorNext] & ~is_table;  // beside INDIRECT, NEXT is ignored

  // What makes it unacceptable.
  wire wraps      = {1'b0, descriptor.addr} + 65'(descriptor.len) > {1'b1, 64'd0};
  wire bad_table  = is_table & (walk_q.indirect | (descriptor.len == '0) | (descriptor.len[3:0] != '0));
  wire bad_buffer = ~is_table & ((descriptor.len == '0) |                    // zero length
                                 wraps |                                     // past the end of memory
                                 (~is_write & (total_q != readable_q)) |     // readable after writable
                                 (total_q == CountWidth'(MaxSegments)) |     // too many for this function
                                 (walk_q.fetched == walk_q.entries));        // a loop
  wire bad_next   = has_next & (28'(descriptor.next) >= walk_q.entries);
  wire unacceptable = ring_error_i | bad_table | bad_buffer | bad_next;

  wire take = (state_q == StFetch) & ring_done_i & ~unacceptable;

  assign ring_valid_o    = (state_q == StFetch);
  assign ring_addr_o     = walk_q.addr + {44'd0, walk_q.index, 4'd0};
  assign segment_write_o = take & ~is_table;
  assign segment_index_o = IndexWidth'(total_q);
  assign segment_addr_o  = descriptor.addr;
  assign segment_len_o   = descriptor.len;

  assign done_o              = (state_q == StDone);
  assign malformed_o         = malformed_q;
  assign readable_segments_o = readable_q;
  assign total_segments_o    = total_q;
  assign readable_bytes_o    = readable_bytes_q;
  assign writable_bytes_o    = writable_bytes_q;

  // Flags other than NEXT, WRITE and INDIRECT are ignored (VRING-DESC-10).
  logic unused_flags;
  assign unused_flags = ^descriptor.flags[15:3];

  always_comb begin
    readable_d       = readable_q;
    total_d          = total_q;
    readable_bytes_d = readable_bytes_q;
    writable_bytes_d = writable_bytes_q;
    if (start_i) begin
      readable_d       = '0;
      total_d          = '0;
      readable_bytes_d = '0;
      writable_bytes_d = '0;
    end else if (segment_write_o) begin
      total_d = total_q + 1'b1;
      if (is_write) begin
        writable_bytes_d = writable_bytes_q + LengthWidth'(descriptor.len);
      end else begin
        readable_d       = readable_q + 1'b1;
        readable_bytes_d = readable_bytes_q + LengthWidth'(descriptor.len);
      end
    end
  end

  always_comb begin
    walk_d = walk_q;
    if (start_i) begin
      walk_d = '{indirect: 1'b0, addr: table_addr_i, entries: 28'(QueueSize), index: head_i, fetched: '0};
    end else if (take & is_table) begin
      walk_d = '{indirect: 1'b1, addr: descriptor.addr, entries: descriptor.len[31:4], index: '0, fetched: '0};
    end else if (take) begin
      walk_d.index   = descriptor.next;
      walk_d.fetched = walk_q.fetched + 28'd1;
    end
  end

  always_comb begin
    state_d     = state_q;
    malformed_d = malformed_q;
    unique case (state_q)
      StIdle: begin
        if (start_i) begin
          malformed_d = (32'(head_i) >= QueueSize);
          state_d     = malformed_d ? StDone : StFetch;
        end
      end
      StFetch: begin
        if (ring_done_i & unacceptable) begin
          malformed_d = 1'b1;
          state_d     = StDone;
        end else if (ring_done_i & ~is_table & ~has_next) begin
          state_d = StDone;
        end
      end
      default: state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q          <= StIdle;
      walk_q           <= '0;
      malformed_q      <= 1'b0;
      readable_q       <= '0;
      total_q          <= '0;
      readable_bytes_q <= '0;
      writable_bytes_q <= '0;
    end else begin
      state_q          <= state_d;
      walk_q           <= walk_d;
      malformed_q      <= malformed_d;
      readable_q       <= readable_d;
      total_q          <= total_d;
      readable_bytes_q <= readable_bytes_d;
      writable_bytes_q <= writable_bytes_d;
    end
  end

endmodule
