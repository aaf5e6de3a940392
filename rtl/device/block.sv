// The block device: serves one request (descriptor chain) at a time from the media port (VBLK).
//
// A request is a 16-byte header and the data of a write in the readable stream; the data of a read and, as its
// last byte, the status in the writable stream. Framing does not matter (ANY_LAYOUT). A chain without room for
// header or status is rejected; everything else is answered in the status byte.
//
// A media request is always brought to its end, also when the engine lets an operation fail (failed DMA read,
// reset): read data is drained, and a write ends early at a sector boundary with a single beat marked last,
// so that the media never gets bytes the guest did not give.
module block
  import virtio_pci_pkg::*;
#(
  parameter int unsigned DataWidth   = 256,
  parameter int unsigned NumQueues   = 1,
  parameter int unsigned MaxSegments = 256,
  parameter bit          ReadOnly    = 1'b0
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,

  // Registers.
  output logic [31:0]            device_features_o,
  input  logic [11:0]            config_addr_i,
  output logic [31:0]            config_rdata_o,
  output logic                   config_changed_o,  // one clock, after the new value can be read

  // Virtqueue engine.
  output logic [NumQueues-1:0]   wants_o,
  input  logic                   chain_valid_i,
  input  logic [LengthWidth-1:0] chain_readable_i,
  input  logic [LengthWidth-1:0] chain_writable_i,
  output logic                   chain_complete_o,
  output logic [31:0]            chain_used_length_o,
  output logic                   chain_reject_o,
  output logic                   op_valid_o,
  input  logic                   op_ready_i,
  output transfer_e              op_kind_o,
  output logic [LengthWidth-1:0] op_bytes_o,
  input  logic                   op_done_i,
  input  logic                   op_error_i,
  input  logic                   gather_valid_i,
  output logic                   gather_ready_o,
  input  logic [DataWidth-1:0]   gather_data_i,
  output logic                   scatter_valid_o,
  input  logic                   scatter_ready_i,
  output logic [DataWidth-1:0]   scatter_data_o,

  // Media.
  output logic                   req_valid_o,
  input  logic                   req_ready_i,
  output logic [1:0]             req_op_o,
  output logic [63:0]            req_sector_o,
  output logic [31:0]            req_count_o,
  output logic                   wdata_valid_o,
  input  logic                   wdata_ready_i,
  output logic [DataWidth-1:0]   wdata_o,
  output logic                   wdata_last_o,
  input  logic                   rdata_valid_i,
  output logic                   rdata_ready_o,
  input  logic [DataWidth-1:0]   rdata_i,
  input  logic                   rdata_last_i,
  input  logic                   rsp_valid_i,
  output logic                   rsp_ready_o,
  input  logic                   rsp_error_i,
  input  logic [63:0]            capacity_i,
  input  logic [159:0]           serial_i
);
  import block_pkg::*;

  typedef logic [LengthWidth-1:0] length_t;

  typedef enum logic [3:0] {
    StIdle,
    StHeader,        // gathers the header
    StDecide,
    StFill,          // write: gathers until the first sector is complete
    StMediaRequest,
    StWriteData,     // write: sectors go to the media, as they get complete
    StMediaResponse,
    StReadData,      // read: data goes from the media to the chain
    StReadDrain,     // read: the chain is lost, the data is discarded
    StIdentify,      // GET_ID: the serial number goes to the chain
    StSkip,          // to the last writable byte
    StStatus,
    StComplete,
    StReject
  } state_e;

  state_e       state_q, state_d;
  logic         op_sent_q, op_sent_d;      // this state's operation has been handed to the engine
  logic         lost_q, lost_d;            // a write's data could not be gathered
  logic         drained_q, drained_d;      // the last beat of read data has come
  logic [127:0] header_q, header_d;
  logic [159:0] serial_q, serial_d;
  media_op_e    media_op_q, media_op_d;
  status_e      status_q, status_d;
  length_t      written_q, written_d;      // bytes in the writable stream, from its start

  // The request.
  request_header_t header;
  assign header = header_q;
  request_kind_e kind;
  assign kind = request_kind(header.kind);

  logic unused_reserved;
  assign unused_reserved = ^header.reserved;

  length_t room, data_bytes;
  logic    media_range_ok;
  assign room           = chain_writable_i - length_t'(1);       // writable bytes ahead of the status
  assign data_bytes     = (kind == KindOut) ? chain_readable_i - length_t'(HeaderBytes) : room;
  assign media_range_ok = (data_bytes[8:0] == '0) & (data_bytes[LengthWidth-1:41] == '0) &
                          (header.sector <= capacity_q) &
                          (64'(data_bytes[40:9]) <= capacity_q - header.sector);
  wire   no_data        = (data_bytes == '0);
  length_t id_bytes;
  assign id_bytes       = (room < length_t'(SerialBytes)) ? room : length_t'(SerialBytes);

  // Device configuration.
  logic [63:0] capacity_q;
  logic        capacity_known_q;
  assign device_features_o = block_features(ReadOnly);
  assign config_rdata_o    = block_config(config_addr_i, capacity_q, MaxSegments);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      capacity_q <= '0;
      capacity_known_q <= 1'b0;
      config_changed_o <= 1'b0;
    end else begin
      capacity_q <= capacity_i;
      capacity_known_q <= 1'b1;
      config_changed_o <= capacity_known_q & (capacity_i != capacity_q);
    end
  end

  // Write data.
  logic gather_room, sector_ready, write_sent;

  write_stream #(
    .DataWidth (DataWidth)
  ) u_write_stream (
    .clk_i,
    .rst_ni,
    .clear_i        (state_q == StIdle),
    .start_i        (state_q == StDecide),
    .sectors_i      (data_bytes[40:9]),
    .gather_valid_i (gather_valid_i & (state_q != StHeader)),
    .gather_ready_o (gather_room),
    .gather_data_i,
    .sector_ready_o (sector_ready),
    .lost_i         (lost_q),
    .send_i         (state_q == StWriteData),
    .sent_o         (write_sent),
    .wdata_valid_o,
    .wdata_ready_i,
    .wdata_o,
    .wdata_last_o
  );

  // Media.
  assign req_valid_o   = (state_q == StMediaRequest);
  assign req_op_o      = media_op_q;
  assign req_sector_o  = (media_op_q == MediaFlush) ? '0 : header.sector;
  assign req_count_o   = (media_op_q == MediaFlush) ? '0 : data_bytes[40:9];
  assign rsp_ready_o   = (state_q == StMediaResponse);
  assign rdata_ready_o = (state_q == StReadDrain) | ((state_q == StReadData) & scatter_ready_i);

  // Engine.
  assign wants_o        = '1;
  assign gather_ready_o = (state_q == StHeader) | gather_room;

  always_comb begin
    op_kind_o  = TransferScatter;
    op_bytes_o = data_bytes;
    op_valid_o = ~op_sent_q;
    unique case (state_q)
      StHeader: begin
        op_kind_o  = TransferGather;
        op_bytes_o = length_t'(HeaderBytes);
      end
      StFill:     op_kind_o = TransferGather;
      StReadData: ;
      StIdentify: op_bytes_o = id_bytes;
      StSkip: begin
        op_kind_o  = TransferSkipWritable;
        op_bytes_o = room - written_q;
      end
      StStatus: op_bytes_o = length_t'(1);
      default:  op_valid_o = 1'b0;
    endcase
  end

  always_comb begin
    scatter_valid_o = 1'b0;
    scatter_data_o  = rdata_i;
    unique case (state_q)
      StReadData: scatter_valid_o = rdata_valid_i;
      StIdentify: begin
        scatter_valid_o = 1'b1;
        scatter_data_o  = DataWidth'(serial_q);
      end
      StStatus: begin
        scatter_valid_o = 1'b1;
        scatter_data_o  = DataWidth'(status_q);
      end
      default: ;
    endcase
  end

  // The used length counts the bytes really written from the start on (VRING-US-04).
  length_t used_length;
  assign used_length         = (written_q == room) ? chain_writable_i : written_q;
  assign chain_used_length_o = (used_length[LengthWidth-1:32] == '0) ? used_length[31:0] : '1;
  assign chain_complete_o    = (state_q == StComplete);
  assign chain_reject_o      = (state_q == StReject);

  // Registers of the data path.
  always_comb begin
    op_sent_d = (state_d == state_q) & (op_sent_q | (op_valid_o & op_ready_i));

    header_d = header_q;
    if ((state_q == StHeader) & gather_valid_i) begin
      header_d = (DataWidth >= 128) ? 128'(gather_data_i) : {gather_data_i[63:0], header_q[127:64]};
    end

    serial_d = serial_q;
    if (state_q == StDecide) serial_d = serial_i;
    else if ((state_q == StIdentify) & scatter_ready_i) serial_d = serial_q >> DataWidth;

    lost_d    = (state_q == StIdle) ? 1'b0 : lost_q | (op_done_i & op_error_i);
    drained_d = (state_q == StIdle) ? 1'b0 : drained_q | (rdata_valid_i & rdata_ready_o & rdata_last_i);
  end

  // The request's way.
  always_comb begin
    state_d    = state_q;
    media_op_d = media_op_q;
    status_d   = status_q;
    written_d  = written_q;

    unique case (state_q)
      StIdle: begin
        status_d  = StatusOk;
        written_d = '0;
        if (chain_valid_i) begin
          state_d = ((chain_readable_i < length_t'(HeaderBytes)) | (chain_writable_i == '0)) ? StReject : StHeader;
        end
      end

      StHeader: if (op_done_i) state_d = op_error_i ? StReject : StDecide;

      StDecide: begin
        state_d = StSkip;
        unique case (kind)
          KindIn: begin
            media_op_d = MediaRead;
            if (~media_range_ok) status_d = StatusIoError;
            else if (~no_data) state_d = StMediaRequest;
          end
          KindOut: begin
            media_op_d = MediaWrite;
            if (ReadOnly | ~media_range_ok) status_d = StatusIoError;
            else if (~no_data) state_d = StFill;
          end
          KindFlush: begin
            media_op_d = MediaFlush;
            state_d    = StMediaRequest;
          end
          KindIdentify: state_d = StIdentify;
          default:      status_d = StatusUnsupported;
        endcase
      end

      StFill: begin
        if (sector_ready) state_d = StMediaRequest;
        else if (lost_q) state_d = StReject;
      end

      StMediaRequest: if (req_ready_i) state_d = (media_op_q == MediaWrite) ? StWriteData : StMediaResponse;

      StWriteData: if (write_sent) state_d = StMediaResponse;

      StMediaResponse: begin
        if (rsp_valid_i) begin
          state_d = ((media_op_q == MediaRead) & ~rsp_error_i) ? StReadData : StSkip;
          if (rsp_error_i) status_d = StatusIoError;
          if (lost_q) state_d = StReject;
        end
      end

      StReadData: begin
        if (op_done_i) begin
          written_d = data_bytes;
          state_d   = StSkip;
          if (op_error_i) state_d = drained_d ? StReject : StReadDrain;
        end
      end

      StReadDrain: if (drained_d) state_d = StReject;

      StIdentify: begin
        if (op_done_i) begin
          written_d = id_bytes;
          state_d   = op_error_i ? StReject : StSkip;
        end
      end

      StSkip: if (op_done_i) state_d = op_error_i ? StReject : StStatus;

      StStatus: if (op_done_i) state_d = op_error_i ? StReject : StComplete;

      default: state_d = StIdle;
    endcase
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= StIdle;
      op_sent_q  <= 1'b0;
      lost_q     <= 1'b0;
      drained_q  <= 1'b0;
      header_q   <= '0;
      serial_q   <= '0;
      media_op_q <= MediaRead;
      status_q   <= StatusOk;
      written_q  <= '0;
    end else begin
      state_q    <= state_d;
      op_sent_q  <= op_sent_d;
      lost_q     <= lost_d;
      drained_q  <= drained_d;
      header_q   <= header_d;
      serial_q   <= serial_d;
      media_op_q <= media_op_d;
      status_q   <= status_d;
      written_q  <= written_d;
    end
  end

endmodule
