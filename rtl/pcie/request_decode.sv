// Takes a request's header apart and says whether this function serves it. Combinational.

module request_decode
  import pcie_pkg::*;
#(
  parameter int unsigned Bar0Size  = 64,  // bytes, power of two, 4..256
  parameter int unsigned ChunkBits = 5    // completions end at 2**ChunkBits DW boundaries
) (
  input  logic [127:0] hdr_i,
  input  logic         io_enable_i,
  input  logic         mem_enable_i,
  input  logic [31:0]  bar0_base_i,
  input  logic [31:0]  bar1_base_i,
  output request_t     request_o
);

  // Fields.

  logic        prefix, has_data, wide;
  logic [4:0]  kind;
  logic [3:0]  first_be, last_be;
  dw_count_t   length;
  logic [63:0] address;

  assign prefix   = hdr_i[127];
  assign has_data = hdr_i[126];
  assign wide     = hdr_i[125];
  assign kind     = hdr_i[124:120];
  assign length   = {hdr_i[105:96] == '0, hdr_i[105:96]};
  assign last_be  = hdr_i[71:68];
  assign first_be = hdr_i[67:64];
  assign address  = wide ? hdr_i[63:0] : {32'h0, hdr_i[63:32]};

  // What the rest of the header says changes nothing here, or is copied from the header by pcie_target.
  logic unused_hdr;
  assign unused_hdr = ^{hdr_i[119:111], hdr_i[109:106], hdr_i[95:72]};

  // Kinds.

  logic is_config, is_io, is_memory, is_read, is_non_posted, is_poisoned;

  assign is_config   = !prefix && !wide && kind == TypeConfig0;
  assign is_io       = !prefix && !wide && kind == TypeIo;
  assign is_memory   = !prefix && kind == TypeMemory;
  assign is_read     = !prefix && !has_data && (kind == TypeMemory || kind == TypeMemoryLocked);
  assign is_poisoned = !prefix && has_data && hdr_i[110];

  always_comb begin
    is_non_posted = 1'b0;
    unique case (kind)
      TypeMemory, TypeMemoryLocked:                            is_non_posted = !has_data;
      TypeIo, TypeConfig0, TypeConfig1:                        is_non_posted = !wide;
      TypeFetchAdd, TypeSwap, TypeCompareSwap, TypeDeferrable: is_non_posted = has_data;
      default:                                                 is_non_posted = 1'b0;
    endcase
    if (prefix) is_non_posted = 1'b0;
  end

  // Hits.

  localparam logic [31:0] Bar0Mask = ~(32'(Bar0Size) - 32'd1);
  localparam logic [31:0] Bar1Mask = 32'hffff_f000;

  function automatic logic hits(logic [31:0] addr, logic [31:0] base, logic [31:0] mask);
    return (addr & mask) == base && base != '0 && base != mask;
  endfunction

  logic one_dw, io_hit, mem_hit, supported;

  assign one_dw  = length == dw_count_t'(1);
  assign io_hit  = io_enable_i && hits(address[31:0], bar0_base_i, Bar0Mask);
  assign mem_hit = mem_enable_i && address[63:32] == '0 && hits(address[31:0], bar1_base_i, Bar1Mask) &&
                   {1'b0, address[11:2]} + length <= dw_count_t'(1024);

  always_comb begin
    supported = 1'b0;
    if (is_config)   supported = one_dw && hdr_i[50:48] == '0;  // function 0
    if (is_io)       supported = one_dw && io_hit;
    if (is_memory)   supported = mem_hit;
    if (is_poisoned) supported = 1'b0;
  end

  // Byte count and lower address of the first completion: from the first to the last enabled byte of a memory read,
  // one byte at 0 where none is enabled; 4 and 0 for everything else.

  function automatic logic [1:0] lowest(logic [3:0] be);
    return be[0] ? 2'd0 : be[1] ? 2'd1 : be[2] ? 2'd2 : be[3] ? 2'd3 : 2'd0;
  endfunction

  function automatic logic [1:0] highest(logic [3:1] be);
    return be[3] ? 2'd3 : be[2] ? 2'd2 : be[1] ? 2'd1 : 2'd0;
  endfunction

  logic [1:0]  lead, trail;
  logic [12:0] byte_count;
  logic [6:0]  lower_addr;

  assign lead  = lowest(first_be);
  assign trail = 2'd3 - highest(one_dw ? first_be[3:1] : last_be[3:1]);

  always_comb begin
    byte_count = 13'd4;
    lower_addr = '0;
    if (is_read) begin
      byte_count = {length, 2'b00} - 13'(lead) - 13'(trail);
      lower_addr = {address[6:2], lead};
    end
  end

  // Place.

  dw_count_t  to_boundary;
  logic [9:0] dw_addr;

  assign to_boundary = dw_count_t'(2 ** ChunkBits) - dw_count_t'(address[ChunkBits+1:2]);

  always_comb begin
    dw_addr = address[11:2];
    if (is_config) dw_addr = hdr_i[43:34];
    if (is_io)     dw_addr = address[11:2] & ~Bar0Mask[11:2];
  end

  assign request_o = '{
    is_config:     is_config,
    is_io:         is_io,
    is_memory:     is_memory,
    is_locked:     kind == TypeMemoryLocked,
    is_posted:     is_memory && has_data,
    is_non_posted: is_non_posted,
    is_poisoned:   is_poisoned,
    has_data:      has_data,
    supported:     supported,
    dw_addr:       dw_addr,
    length:        length,
    first_be:      first_be,
    last_be:       last_be,
    byte_count:    byte_count,
    lower_addr:    lower_addr,
    first_chunk:   (length < to_boundary) ? length : to_boundary
  };

endmodule
