// A function that does its work, and one thing that no function may do: the kind that +hostile= names.
//
// It has the ports and parameters of the function inside it, and is described by dut.toml beside it.
module hostile_function
  import hostile_pkg::*;
#(
    parameter virtio_pci_pkg::device_type_e DeviceType        = virtio_pci_pkg::DeviceBlock,
    parameter int unsigned                  DataWidth         = 256,
    parameter int unsigned                  NumQueues         = 1,
    parameter int unsigned                  QueueSize         = 256,
    parameter int unsigned                  NumVectors        = 3,
    parameter int unsigned                  MaxSegments       = 256,
    parameter bit                           ReadOnly          = 1'b0,
    parameter int unsigned                  CompletionTimeout = 125_000
) (
    input  logic                 clk_i,
    input  logic                 rst_ni,
    input  logic                 rx_req_valid_i,
    output logic                 rx_req_ready_o,
    input  logic [127:0]         rx_req_hdr_i,
    input  logic [DataWidth-1:0] rx_req_data_i,
    input  logic                 rx_req_last_i,
    output logic                 tx_cpl_valid_o,
    input  logic                 tx_cpl_ready_i,
    output logic [127:0]         tx_cpl_hdr_o,
    output logic [DataWidth-1:0] tx_cpl_data_o,
    output logic                 tx_cpl_last_o,
    output logic                 tx_req_valid_o,
    input  logic                 tx_req_ready_i,
    output logic [127:0]         tx_req_hdr_o,
    output logic [DataWidth-1:0] tx_req_data_o,
    output logic                 tx_req_last_o,
    input  logic                 rx_cpl_valid_i,
    output logic                 rx_cpl_ready_o,
    input  logic [127:0]         rx_cpl_hdr_i,
    input  logic [DataWidth-1:0] rx_cpl_data_i,
    input  logic                 rx_cpl_last_i,
    output logic                 blk_req_valid_o,
    input  logic                 blk_req_ready_i,
    output logic [1:0]           blk_req_op_o,
    output logic [63:0]          blk_req_sector_o,
    output logic [31:0]          blk_req_count_o,
    output logic                 blk_wdata_valid_o,
    input  logic                 blk_wdata_ready_i,
    output logic [DataWidth-1:0] blk_wdata_o,
    output logic                 blk_wdata_last_o,
    input  logic                 blk_rdata_valid_i,
    output logic                 blk_rdata_ready_o,
    input  logic [DataWidth-1:0] blk_rdata_i,
    input  logic                 blk_rdata_last_i,
    input  logic                 blk_rsp_valid_i,
    output logic                 blk_rsp_ready_o,
    input  logic                 blk_rsp_error_i,
    input  logic [63:0]          blk_capacity_i,
    input  logic [159:0]         blk_serial_i
);

  kind_e kind;
  initial kind = kind_of_run();

  // What the guest does.
  logic [31:0] ring;
  logic        running, was_reset, bus_master, mastered, is_kick, is_isr, is_size, is_config;

  // Random from the start, and different in every clock: it has no reset.
  logic [255:0] random_q;
  always_ff @(posedge clk_i) random_q <= {random_q[254:0], random_q[255] ^ random_q[9] ^ random_q[97]};

  // A loop through no register: simulated time cannot go on.
  logic loop;
  assign loop = ((kind == loop_without_delay) & running) ? ~loop : 1'b0;

  // The function inside.
  logic                 rx_req_ready;
  logic                 tx_cpl_valid, tx_cpl_ready, tx_cpl_last;
  logic [127:0]         tx_cpl_hdr;
  logic [DataWidth-1:0] tx_cpl_data;
  logic                 tx_req_valid, tx_req_ready, tx_req_last;
  logic [127:0]         tx_req_hdr;
  logic [DataWidth-1:0] tx_req_data;
  logic                 rx_cpl_ready;
  logic                 blk_req_valid, blk_wdata_valid, blk_wdata_last, blk_rdata_ready, blk_rsp_ready;
  logic [127:0]         rx_req_hdr;
  logic [63:0]          capacity;
  logic [1:0]           blk_req_op;
  logic [63:0]          blk_req_sector;
  logic [31:0]          blk_req_count;

  always_comb begin
    rx_req_hdr = rx_req_hdr_i;
    if ((kind == kick_lost) & is_kick) rx_req_hdr[67:64] = '0;
    capacity = blk_capacity_i;
    if (kind == capacity_nonsense) capacity = '1;
  end

  virtio_pci_function #(
      .DeviceType       (DeviceType),
      .DataWidth        (DataWidth),
      .NumQueues        (NumQueues),
      .QueueSize        (QueueSize),
      .NumVectors       (NumVectors),
      .MaxSegments      (MaxSegments),
      .ReadOnly         (ReadOnly),
      .CompletionTimeout(CompletionTimeout)
  ) u_function (
      .clk_i,
      .rst_ni,
      .rx_req_valid_i   (rx_req_valid_i & ~((kind == rx_req_stuck) & running)),
      .rx_req_ready_o   (rx_req_ready),
      .rx_req_hdr_i     (rx_req_hdr),
      .rx_req_data_i,
      .rx_req_last_i,
      .tx_cpl_valid_o   (tx_cpl_valid),
      .tx_cpl_ready_i   (tx_cpl_ready),
      .tx_cpl_hdr_o     (tx_cpl_hdr),
      .tx_cpl_data_o    (tx_cpl_data),
      .tx_cpl_last_o    (tx_cpl_last),
      .tx_req_valid_o   (tx_req_valid),
      .tx_req_ready_i   (tx_req_ready),
      .tx_req_hdr_o     (tx_req_hdr),
      .tx_req_data_o    (tx_req_data),
      .tx_req_last_o    (tx_req_last),
      .rx_cpl_valid_i   (rx_cpl_valid_i & ~((kind == rx_cpl_stuck) & running)),
      .rx_cpl_ready_o   (rx_cpl_ready),
      .rx_cpl_hdr_i,
      .rx_cpl_data_i,
      .rx_cpl_last_i,
      .blk_req_valid_o  (blk_req_valid),
      .blk_req_ready_i  (blk_req_ready_i & ~((kind == blk_req_stuck) & running)),
      .blk_req_op_o     (blk_req_op),
      .blk_req_sector_o (blk_req_sector),
      .blk_req_count_o  (blk_req_count),
      .blk_wdata_valid_o(blk_wdata_valid),
      .blk_wdata_ready_i(blk_wdata_ready_i & ~((kind == blk_wdata_stuck) & running)),
      .blk_wdata_o,
      .blk_wdata_last_o (blk_wdata_last),
      .blk_rdata_valid_i(blk_rdata_valid_i & ~((kind == blk_rdata_stuck) & running)),
      .blk_rdata_ready_o(blk_rdata_ready),
      .blk_rdata_i,
      .blk_rdata_last_i,
      .blk_rsp_valid_i  (blk_rsp_valid_i & ~((kind == blk_rsp_stuck) & running)),
      .blk_rsp_ready_o  (blk_rsp_ready),
      .blk_rsp_error_i,
      .blk_capacity_i   (capacity),
      .blk_serial_i
  );

  host_watch #(
      .DataWidth(DataWidth)
  ) u_watch (
      .clk_i,
      .rst_ni,
      .beat_i      (rx_req_valid_i & rx_req_ready_o),
      .hdr_i       (rx_req_hdr_i),
      .data_i      (rx_req_data_i),
      .last_i      (rx_req_last_i),
      .ring_o      (ring),
      .running_o   (running),
      .was_reset_o (was_reset),
      .bus_master_o(bus_master),
      .mastered_o  (mastered),
      .is_kick_o   (is_kick),
      .answered_i  (tx_cpl_valid & tx_cpl_ready),
      .answer_tag_i(tx_cpl_hdr[47:40]),
      .is_isr_o    (is_isr),
      .is_size_o   (is_size),
      .is_config_o (is_config)
  );

  // Streams that the function takes.
  assign rx_req_ready_o    = rx_req_ready & ~((kind == rx_req_stuck) & running);
  assign rx_cpl_ready_o    = rx_cpl_ready & ~((kind == rx_cpl_stuck) & running);
  assign blk_rdata_ready_o = blk_rdata_ready & ~((kind == blk_rdata_stuck) & running);
  assign blk_rsp_ready_o   = blk_rsp_ready & ~((kind == blk_rsp_stuck) & running);

  // Its requests.
  logic                 sent_valid, sent_last;
  logic [127:0]         sent_hdr;
  logic [DataWidth-1:0] sent_data;

  hostile_requests #(
      .DataWidth(DataWidth),
      .QueueSize(QueueSize)
  ) u_requests (
      .clk_i,
      .rst_ni,
      .kind_i      (kind),
      .ring_i      (ring),
      .running_i   (running),
      .was_reset_i (was_reset),
      .bus_master_i(bus_master),
      .mastered_i  (mastered),
      .valid_i     (tx_req_valid),
      .ready_o     (tx_req_ready),
      .hdr_i       (tx_req_hdr),
      .data_i      (tx_req_data),
      .last_i      (tx_req_last),
      .valid_o     (sent_valid),
      .ready_i     (tx_req_ready_i),
      .hdr_o       (sent_hdr),
      .data_o      (sent_data),
      .last_o      (sent_last)
  );

  wire random_request = (kind == tx_req_random) & running;
  assign tx_req_valid_o = random_request ? random_q[0] : sent_valid;
  assign tx_req_hdr_o   = random_request ? random_q[255:128] : sent_hdr;
  assign tx_req_data_o  = sent_data;
  assign tx_req_last_o  = sent_last;

  // Its completions.
  logic [127:0]         answer_hdr_q;
  logic [DataWidth-1:0] answer_q;
  logic                 repeats_q;
  wire                  random_answer = (kind == tx_cpl_random) & running;
  wire                  runs_off = (kind == tx_cpl_endless) & running;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      answer_hdr_q <= '0;
      answer_q     <= '0;
      repeats_q    <= 1'b0;
    end else if (tx_cpl_valid_o & tx_cpl_ready_i & ~repeats_q) begin
      answer_hdr_q <= tx_cpl_hdr_o;
      answer_q     <= tx_cpl_data_o;
      repeats_q    <= (kind == completion_flood) & running;
    end
  end

  always_comb begin
    tx_cpl_valid_o = tx_cpl_valid & ~((kind == tx_cpl_stuck) & running);
    tx_cpl_ready   = tx_cpl_ready_i & ~((kind == tx_cpl_stuck) & running);
    tx_cpl_hdr_o   = tx_cpl_hdr;
    tx_cpl_data_o  = tx_cpl_data;
    tx_cpl_last_o  = tx_cpl_last & ~runs_off;
    if ((kind == isr_never_set) & is_isr) tx_cpl_data_o[31:24] = '0;
    if ((kind == isr_always_set) & is_isr) tx_cpl_data_o[31:24] = 8'd1;
    if ((kind == queues_without_end) & is_size) tx_cpl_data_o[15:0] = 16'(QueueSize);
    if ((kind == capacity_tears) & is_config) tx_cpl_data_o[7:0] = random_q[7:0];
    if (runs_off) tx_cpl_valid_o = 1'b1;
    if (repeats_q) begin
      tx_cpl_valid_o = 1'b1;
      tx_cpl_ready   = 1'b0;
      tx_cpl_hdr_o   = answer_hdr_q;
      tx_cpl_data_o  = answer_q;
    end
    if (random_answer) begin
      tx_cpl_valid_o = random_q[0];
      tx_cpl_hdr_o   = random_q[255:128];
    end
  end

  // Its disk.
  logic asked_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) asked_q <= 1'b0;
    else asked_q <= asked_q | (blk_req_valid & blk_req_ready_i);
  end

  wire request_flood = (kind == blk_req_flood) & asked_q;
  wire random_disk = (kind == blk_req_random) & running;
  wire silent_disk = (kind == blk_req_stuck) & running;
  wire silent_data = (kind == blk_wdata_stuck) & running;
  wire data_flood = (kind == blk_wdata_flood) & running;
  assign blk_req_valid_o   = random_disk ? random_q[0] : request_flood | (blk_req_valid & ~silent_disk);
  assign blk_req_op_o      = random_disk ? random_q[2:1] : blk_req_op;
  assign blk_req_sector_o  = random_disk ? random_q[127:64] : blk_req_sector;
  assign blk_req_count_o   = random_disk ? random_q[63:32] : blk_req_count;
  assign blk_wdata_valid_o = data_flood | (blk_wdata_valid & ~silent_data);
  assign blk_wdata_last_o  = blk_wdata_last & (kind != blk_wdata_endless) & ~loop;

endmodule
