// The segments (buffers) of the descriptor chain in service, readable ones first.
// One write port, one read port with a clock of latency.
module segment_memory #(
  parameter int unsigned MaxSegments = 256,
  localparam int unsigned IndexWidth = (MaxSegments > 1) ? $clog2(MaxSegments) : 1
) (
  input  logic                  clk_i,

  input  logic                  write_i,
  input  logic [IndexWidth-1:0] write_index_i,
  input  logic [63:0]           write_addr_i,
  input  logic [31:0]           write_len_i,

  input  logic [IndexWidth-1:0] read_index_i,
  output logic [63:0]           read_addr_o,
  output logic [31:0]           read_len_o
);

  logic [95:0] segments [MaxSegments];
  logic [95:0] read_q;

  always_ff @(posedge clk_i) begin
    if (write_i) segments[write_index_i] <= {write_len_i, write_addr_i};
    read_q <= segments[read_index_i];
  end

  assign {read_len_o, read_addr_o} = read_q;

endmodule
