// Moves bytes between a device and the segments of its descriptor chain.
//
// The chain is two byte streams: what the readable segments hold, and room for what goes into the writable
// ones. Each has a cursor; an operation gathers, scatters or skips the next op_bytes_i of one of them. One
// operation at a time; op_done_o ends it, with op_error_o after a failed DMA read, past the end of the stream,
// or while abort_i is up. After an error nothing of the operation is outstanding.
module segment_mover
  import virtio_pci_pkg::*;
#(
  parameter int unsigned DataWidth   = 256,
  parameter int unsigned MaxSegments = 256,
  localparam int unsigned BeatBytes  = DataWidth / 8,
  localparam int unsigned BytesWidth = $clog2(BeatBytes) + 1,
  localparam int unsigned IndexWidth = (MaxSegments > 1) ? $clog2(MaxSegments) : 1,
  localparam int unsigned CountWidth = $clog2(MaxSegments + 1)
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,
  input  logic                   abort_i,

  // The chain: readable segments first.
  input  logic                   rewind_i,   // a new chain: both cursors to their stream's start
  input  logic [CountWidth-1:0]  readable_segments_i,
  input  logic [CountWidth-1:0]  total_segments_i,
  output logic [IndexWidth-1:0]  segment_index_o,
  input  logic [63:0]            segment_addr_i,
  input  logic [31:0]            segment_len_i,

  // The device.
  input  logic                   op_valid_i,
  output logic                   op_ready_o,
  input  transfer_e              op_kind_i,
  input  logic [LengthWidth-1:0] op_bytes_i,
  output logic                   op_done_o,
  output logic                   op_error_o,
  output logic                   gather_valid_o,
  input  logic                   gather_ready_i,
  output logic [DataWidth-1:0]   gather_data_o,
  input  logic                   scatter_valid_i,
  output logic                   scatter_ready_o,
  input  logic [DataWidth-1:0]   scatter_data_i,

  // DMA.
  output logic                   rd_req_valid_o,
  input  logic                   rd_req_ready_i,
  output logic [63:0]            rd_req_addr_o,
  output logic [31:0]            rd_req_len_o,
  input  logic                   rd_data_valid_i,
  output logic                   rd_data_ready_o,
  input  logic [DataWidth-1:0]   rd_data_i,
  input  logic [BytesWidth-1:0]  rd_data_bytes_i,
  input  logic                   rd_data_last_i,
  input  logic                   rd_data_error_i,
  output logic                   wr_req_valid_o,
  input  logic                   wr_req_ready_i,
  output logic [63:0]            wr_req_addr_o,
  output logic [31:0]            wr_req_len_o,
  output logic                   wr_data_valid_o,
  input  logic                   wr_data_ready_i,
  output logic [DataWidth-1:0]   wr_data_o
);

  typedef logic [LengthWidth-1:0] length_t;
  typedef logic [BytesWidth-1:0]  beat_bytes_t;

  typedef struct packed {
    logic [CountWidth-1:0] index;  // the segment to load next
    logic [63:0]           addr;
    logic [31:0]           left;   // bytes left of the loaded segment
  } cursor_t;

  typedef enum logic [2:0] {
    StIdle,
    StLookUp,   // the segment memory sees the cursor's index
    StIssue,    // load segments, request or skip them
    StWrite,    // hand over the bytes of one write request
    StCollect,  // every read is requested; its bytes are still coming
    StDrain,    // a read failed: discard what is still coming
    StDone
  } state_e;

  // Bytes of the next beat of a stream with `left` bytes to go.
  function automatic beat_bytes_t beat_of(length_t left);
    return (left >= length_t'(BeatBytes)) ? beat_bytes_t'(BeatBytes) : beat_bytes_t'(left);
  endfunction

  state_e      state_q, state_d;
  transfer_e   kind_q, kind_d;
  cursor_t     readable_q, readable_d, writable_q, writable_d, cursor, moved;
  length_t     issue_left_q, issue_left_d;    // bytes still to be requested or skipped
  length_t     stream_left_q, stream_left_d;  // bytes still to pass on the device's side
  logic [31:0] chunk_left_q, chunk_left_d;    // bytes still to be handed over of the write request
  logic [3:0]  reads_open_q, reads_open_d;    // read requests whose last beat has not come
  logic        error_q, error_d;

  wire on_readable = (kind_q == TransferGather) | (kind_q == TransferSkipReadable);
  wire gathering   = (kind_q == TransferGather) & ((state_q == StIssue) | (state_q == StCollect));
  wire writing     = (state_q == StWrite);

  // The cursor in use.
  logic        stream_ends, needs_load;
  logic [31:0] chunk;
  assign cursor          = on_readable ? readable_q : writable_q;
  assign segment_index_o = IndexWidth'(cursor.index);
  assign needs_load      = (cursor.left == '0);
  assign stream_ends     = cursor.index == (on_readable ? readable_segments_i : total_segments_i);
  assign chunk           = (issue_left_q < length_t'(cursor.left)) ? 32'(issue_left_q) : cursor.left;

  wire read_failed = rd_data_valid_i & rd_data_last_i & rd_data_error_i;

  // Requests.
  wire issuing = (state_q == StIssue) & (issue_left_q != '0) & ~needs_load & ~read_failed & ~abort_i;
  assign rd_req_valid_o = issuing & (kind_q == TransferGather) & (reads_open_q != 4'hf);
  assign rd_req_addr_o  = cursor.addr;
  assign rd_req_len_o   = chunk;
  assign wr_req_valid_o = issuing & (kind_q == TransferScatter);
  assign wr_req_addr_o  = cursor.addr;
  assign wr_req_len_o   = chunk;

  wire skipping = (kind_q == TransferSkipReadable) | (kind_q == TransferSkipWritable);
  wire issued   = (rd_req_valid_o & rd_req_ready_i) | (wr_req_valid_o & wr_req_ready_i) | (issuing & skipping);

  // Bytes.
  wire read_ends   = rd_data_valid_i & rd_data_ready_o & rd_data_last_i & (reads_open_q != '0);
  logic                 in_valid, in_ready, out_valid, out_ready;
  logic [DataWidth-1:0] out_data;
  beat_bytes_t          in_bytes, out_bytes;

  assign in_valid        = gathering ? rd_data_valid_i & ~read_failed
                                     : writing & scatter_valid_i & (stream_left_q != '0);
  assign in_bytes        = gathering ? rd_data_bytes_i : beat_of(stream_left_q);
  assign out_bytes       = gathering ? beat_of(stream_left_q) : beat_of(length_t'(chunk_left_q));
  assign out_ready       = gathering ? gather_ready_i & (stream_left_q != '0) : writing & wr_data_ready_i;
  assign gather_valid_o  = gathering & out_valid & (stream_left_q != '0) & ~abort_i;
  assign gather_data_o   = out_data;
  assign scatter_ready_o = writing & in_ready & (stream_left_q != '0) & ~abort_i;
  assign wr_data_valid_o = writing & out_valid & ~abort_i;
  assign wr_data_o       = out_data;
  assign rd_data_ready_o = ~gathering | in_ready | read_failed;

  byte_realigner #(
    .DataWidth (DataWidth)
  ) u_realigner (
    .clk_i,
    .rst_ni,
    .clear_i     (state_q == StIdle),
    .in_valid_i  (in_valid),
    .in_ready_o  (in_ready),
    .in_data_i   (gathering ? rd_data_i : scatter_data_i),
    .in_bytes_i  (in_bytes),
    .out_valid_o (out_valid),
    .out_ready_i (out_ready),
    .out_data_o  (out_data),
    .out_bytes_i (out_bytes)
  );

  assign op_ready_o = (state_q == StIdle);
  assign op_done_o  = (state_q == StDone);
  assign op_error_o = error_q;

  // Cursor movement: a load takes the next segment, a request or skip takes a chunk of it.
  always_comb begin
    moved = cursor;
    if (issued) begin
      moved.addr = cursor.addr + 64'(chunk);
      moved.left = cursor.left - chunk;
    end else if ((state_q == StIssue) & needs_load & (issue_left_q != '0) & ~stream_ends) begin
      moved.index = cursor.index + 1'b1;
      moved.addr  = segment_addr_i;
      moved.left  = segment_len_i;
    end
    readable_d = on_readable ? moved : readable_q;
    writable_d = on_readable ? writable_q : moved;
    if (rewind_i) begin
      readable_d = '{index: '0, addr: '0, left: '0};
      writable_d = '{index: readable_segments_i, addr: '0, left: '0};
    end
  end

  always_comb begin
    issue_left_d  = issue_left_q;
    stream_left_d = stream_left_q;
    chunk_left_d  = chunk_left_q;
    reads_open_d  = reads_open_q;

    if (op_valid_i & op_ready_o) begin
      issue_left_d  = op_bytes_i;
      stream_left_d = op_bytes_i;
    end
    if (issued) issue_left_d = issue_left_q - length_t'(chunk);
    if (gather_valid_o & gather_ready_i) stream_left_d = stream_left_q - length_t'(out_bytes);
    if (scatter_valid_i & scatter_ready_o) stream_left_d = stream_left_q - length_t'(in_bytes);
    if (wr_req_valid_o & wr_req_ready_i) chunk_left_d = chunk;
    if (wr_data_valid_o & wr_data_ready_i) chunk_left_d = chunk_left_q - 32'(out_bytes);

    if (rd_req_valid_o & rd_req_ready_i) reads_open_d = reads_open_d + 4'd1;
    if (read_ends) reads_open_d = reads_open_d - 4'd1;
    if (abort_i) reads_open_d = '0;
  end

  always_comb begin
    state_d = state_q;
    kind_d  = kind_q;
    error_d = error_q;

    unique case (state_q)
      StIdle: begin
        error_d = 1'b0;
        if (op_valid_i) begin
          kind_d  = op_kind_i;
          state_d = (op_bytes_i == '0) ? StDone : StLookUp;
        end
      end
      StLookUp: state_d = StIssue;
      StIssue: begin
        if (issue_left_q == '0) begin
          state_d = (kind_q == TransferGather) ? StCollect : StDone;
        end else if (needs_load & stream_ends) begin
          error_d = 1'b1;
          state_d = StDrain;
        end
        if (wr_req_valid_o & wr_req_ready_i) state_d = StWrite;
      end
      StWrite: if (chunk_left_d == '0) state_d = StIssue;
      StCollect: if (stream_left_d == '0) state_d = StDone;
      StDrain: if (reads_open_q == '0) state_d = StDone;
      default: state_d = StIdle;
    endcase

    if (gathering & read_failed) begin
      error_d = 1'b1;
      state_d = StDrain;
    end
    if (abort_i & (op_valid_i | (state_q != StIdle)) & (state_q != StDone)) begin
      error_d = 1'b1;
      state_d = StDone;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= StIdle;
      kind_q        <= TransferGather;
      readable_q    <= '0;
      writable_q    <= '0;
      issue_left_q  <= '0;
      stream_left_q <= '0;
      chunk_left_q  <= '0;
      reads_open_q  <= '0;
      error_q       <= 1'b0;
    end else begin
      state_q       <= state_d;
      kind_q        <= kind_d;
      readable_q    <= readable_d;
      writable_q    <= writable_d;
      issue_left_q  <= issue_left_d;
      stream_left_q <= stream_left_d;
      chunk_left_q  <= chunk_left_d;
      reads_open_q  <= reads_open_d;
      error_q       <= error_d;
    end
  end

endmodule
