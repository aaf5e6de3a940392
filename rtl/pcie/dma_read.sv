// DMA reads: splits client requests into read TLPs and gives their data back in order.
//
// Reads end at multiples of Max_Read_Request_Size (or of MaxDmaBytes when that is smaller), so none crosses 4 KiB.
// Each is issued only when a slot of the buffer is free for all its data. After a failed read no further one is issued
// for its request, nor for those queued with it: each of them ends with an error beat too.

module dma_read
  import pcie_pkg::*;
#(
  parameter int unsigned DataWidth         = 256,
  parameter int unsigned NumTags           = 8,
  parameter int unsigned CompletionTimeout = 125_000,
  localparam int unsigned BeatBytes        = DataWidth / 8,
  localparam int unsigned ByteBits         = $clog2(BeatBytes)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  dma_len_t             max_read_request_i,
  input  logic [15:0]          function_id_i,
  input  logic                 cancelling_i,
  input  logic                 clear_i,         // last clock of cancelling_i
  output logic                 busy_o,          // a request or a slot is in use
  output logic                 slots_used_o,
  output logic                 outstanding_o,
  output pcie_error_t          error_o,

  // Client.
  input  logic                 req_valid_i,
  output logic                 req_ready_o,
  input  logic [63:0]          req_addr_i,
  input  logic [31:0]          req_len_i,
  output logic                 data_valid_o,
  input  logic                 data_ready_i,
  output logic [DataWidth-1:0] data_o,
  output logic [ByteBits:0]    data_bytes_o,
  output logic                 data_last_o,
  output logic                 data_error_o,

  // Arbiter.
  output logic                 tlp_valid_o,
  output tlp_info_t            tlp_info_o,
  input  logic                 tlp_granted_i,
  input  logic                 tlp_sent_i,
  input  logic [7:0]           tlp_sent_tag_i,

  // Completions.
  input  logic                 cpl_valid_i,
  input  logic [127:32]        cpl_hdr_i,
  input  logic [DataWidth-1:0] cpl_data_i,
  input  logic                 cpl_last_i
);

  localparam int unsigned RequestBits = 2;  // four requests queued
  localparam int unsigned Requests    = 2 ** RequestBits;
  localparam int unsigned SlotBits    = $clog2(NumTags);
  localparam int unsigned DwBits      = $clog2(MaxDmaBytes / 4);
  localparam int unsigned PlaceBits   = DmaLenWidth - 1;

  typedef logic [RequestBits:0] pointer_t;

  typedef struct packed {
    logic [63:0] addr;
    logic [31:0] len;
  } request_t;

  // Requests.

  request_t [Requests-1:0] requests_q;
  pointer_t                accepted_q, issued_q, finished;
  logic                    accept;
  request_t                issue_request, finish_request;

  assign req_ready_o    = pointer_t'(accepted_q - finished) != pointer_t'(Requests) && !cancelling_i;
  assign accept         = req_valid_i && req_ready_o;
  assign issue_request  = requests_q[issued_q[RequestBits-1:0]];
  assign finish_request = requests_q[finished[RequestBits-1:0]];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      requests_q <= '0;
      accepted_q <= '0;
    end else if (clear_i) begin
      accepted_q <= '0;
    end else if (accept) begin
      requests_q[accepted_q[RequestBits-1:0]] <= '{addr: req_addr_i, len: req_len_i};
      accepted_q                              <= accepted_q + pointer_t'(1);
    end
  end

  // Issue.

  logic        issue_busy_q;
  logic [63:0] issue_addr_q;
  logic [31:0] issue_left_q;

  dma_len_t    chunk;
  logic        chunk_end, stop;
  logic        failed;               // a read has failed whose slot is still in use
  logic        broken, broken_q;     // ... or was, when the requests queued now were queued already
  logic        tag_ready;
  logic [7:0]  tag;

  assign chunk       = chunk_bytes(issue_addr_q[PlaceBits-1:0], max_read_request_i, issue_left_q);
  assign chunk_end   = 32'(chunk) == issue_left_q;
  assign broken      = failed || broken_q;
  assign stop        = issue_busy_q && (broken || cancelling_i);
  assign tlp_valid_o = issue_busy_q && tag_ready && !stop;
  assign tlp_info_o  = memory_request(1'b0, issue_addr_q, chunk, tag);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni)                                broken_q <= 1'b0;
    else if (clear_i || accepted_q == finished) broken_q <= 1'b0;
    else                                        broken_q <= broken;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      issue_busy_q <= 1'b0;
      issue_addr_q <= '0;
      issue_left_q <= '0;
      issued_q     <= '0;
    end else if (clear_i) begin
      issue_busy_q <= 1'b0;
      issued_q     <= '0;
    end else if (stop || (tlp_granted_i && chunk_end)) begin
      issue_busy_q <= 1'b0;
      issued_q     <= issued_q + pointer_t'(1);
    end else if (tlp_granted_i) begin
      issue_addr_q <= issue_addr_q + 64'(chunk);
      issue_left_q <= issue_left_q - 32'(chunk);
    end else if (!issue_busy_q && issued_q != accepted_q) begin
      issue_busy_q <= !cancelling_i;
      issue_addr_q <= issue_request.addr;
      issue_left_q <= issue_request.len;
    end
  end

  // Slots, buffer, delivery.

  logic                   write, read, pop;
  logic [SlotBits-1:0]    write_slot, read_slot;
  logic [DwBits-1:0]      write_dw;
  logic [DwBits:0]        write_count;
  logic [DataWidth-1:0]   write_data, read_data;
  logic [PlaceBits-ByteBits-1:0] read_row;
  logic                   head_used, head_done, head_failed, head_end;
  logic [SlotBits-1:0]    head_slot;
  logic [PlaceBits-1:0]   head_first, head_last;
  logic [RequestBits-1:0] head_request;

  dma_read_tags #(
    .DataWidth         (DataWidth),
    .NumTags           (NumTags),
    .CompletionTimeout (CompletionTimeout),
    .RequestIdBits     (RequestBits)
  ) u_tags (
    .clk_i,
    .rst_ni,
    .function_id_i,
    .tag_ready_o     (tag_ready),
    .tag_o           (tag),
    .open_i          (tlp_granted_i),
    .open_addr_i     (issue_addr_q[PlaceBits-1:0]),
    .open_len_i      (chunk),
    .open_request_i  (issued_q[RequestBits-1:0]),
    .open_end_i      (chunk_end),
    .sent_i          (tlp_sent_i),
    .sent_tag_i      (tlp_sent_tag_i),
    .cpl_valid_i,
    .cpl_hdr_i,
    .cpl_data_i,
    .cpl_last_i,
    .write_o         (write),
    .write_slot_o    (write_slot),
    .write_dw_o      (write_dw),
    .write_count_o   (write_count),
    .write_data_o    (write_data),
    .head_used_o     (head_used),
    .head_done_o     (head_done),
    .head_failed_o   (head_failed),
    .head_slot_o     (head_slot),
    .head_first_o    (head_first),
    .head_last_o     (head_last),
    .head_request_o  (head_request),
    .head_end_o      (head_end),
    .pop_i           (pop),
    .failed_o        (failed),
    .used_o          (slots_used_o),
    .outstanding_o,
    .error_o
  );

  dma_read_buffer #(.DataWidth(DataWidth), .NumTags(NumTags)) u_buffer (
    .clk_i,
    .write_i       (write),
    .write_slot_i  (write_slot),
    .write_dw_i    (write_dw),
    .write_count_i (write_count),
    .write_data_i  (write_data),
    .read_i        (read),
    .read_slot_i   (read_slot),
    .read_row_i    (read_row),
    .read_data_o   (read_data)
  );

  dma_read_stream #(.DataWidth(DataWidth), .NumTags(NumTags), .PointerBits(RequestBits + 1)) u_stream (
    .clk_i,
    .rst_ni,
    .cancelling_i,
    .clear_i,
    .accepted_i       (accepted_q),
    .issued_i         (issued_q),
    .broken_i         (broken),
    .finished_o       (finished),
    .offset_i         (finish_request.addr[ByteBits-1:0]),
    .len_i            (finish_request.len),
    .head_used_i      (head_used),
    .head_done_i      (head_done),
    .head_failed_i    (head_failed),
    .head_slot_i      (head_slot),
    .head_first_row_i (head_first[PlaceBits-1:ByteBits]),
    .head_last_row_i  (head_last[PlaceBits-1:ByteBits]),
    .head_request_i   (head_request),
    .head_end_i       (head_end),
    .pop_o            (pop),
    .read_o           (read),
    .read_slot_o      (read_slot),
    .read_row_o       (read_row),
    .read_data_i      (read_data),
    .data_valid_o,
    .data_ready_i,
    .data_o,
    .data_bytes_o,
    .data_last_o,
    .data_error_o
  );

  assign busy_o = accepted_q != finished || slots_used_o || data_valid_o;

  logic unused_places;
  assign unused_places = ^{head_first[ByteBits-1:0], head_last[ByteBits-1:0], finish_request.addr[63:ByteBits]};

endmodule
