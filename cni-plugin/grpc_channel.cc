// SPDX-License-Identifier: Apache-2.0
#include "grpc_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace eoip::cni {
namespace {

constexpr size_t kPrefixBytes = 5;  // compressed or not, length
// No answer of the agent to the plugin comes near.
constexpr size_t kMaxAnswerBytes = 4 << 20;

std::string Frame(absl::string_view message) {
  const auto length = static_cast<uint32_t>(message.size());
  std::string frame(kPrefixBytes, '\0');
  for (int i = 0; i < 4; ++i) {
    frame[1 + i] = static_cast<char>(length >> (24 - 8 * i));
  }
  return frame.append(message.data(), message.size());
}

nghttp2_nv Header(absl::string_view name, absl::string_view value) {
  // nghttp2 copies both.
  auto* n = reinterpret_cast<uint8_t*>(const_cast<char*>(name.data()));
  auto* v = reinterpret_cast<uint8_t*>(const_cast<char*>(value.data()));
  return {n, v, name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

absl::Status Broken(const std::string& path, absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("the connection to eoip-agent at ", path, " broke: ", why));
}

// As doc/PROTOCOL-HTTP2.md maps them.
absl::Status FromReset(uint32_t code) {
  const std::string text =
      absl::StrCat("the agent ended the call: ", nghttp2_http2_strerror(code));
  switch (code) {
    case NGHTTP2_REFUSED_STREAM:
      return absl::UnavailableError(text);
    case NGHTTP2_CANCEL:
      return absl::CancelledError(text);
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace

struct GrpcChannel::Stream {
  int32_t id = -1;
  std::string request;  // with its prefix
  size_t sent = 0;
  std::string http_status;
  std::string grpc_status;
  std::string grpc_message;
  std::string answer;  // with its prefix
  bool closed = false;
  uint32_t reset = NGHTTP2_NO_ERROR;
};

GrpcChannel::GrpcChannel(std::string socket_path)
    : path_(std::move(socket_path)) {}

GrpcChannel::~GrpcChannel() = default;

nghttp2_session* GrpcChannel::NewSession(GrpcChannel* channel) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks, [](nghttp2_session*, const nghttp2_frame* frame,
                    const uint8_t* name, size_t name_size, const uint8_t* value,
                    size_t value_size, uint8_t, void* user) {
        Stream* stream = static_cast<GrpcChannel*>(user)->stream_.get();
        if (stream == nullptr || frame->hd.stream_id != stream->id) return 0;
        const absl::string_view key(reinterpret_cast<const char*>(name),
                                    name_size);
        const absl::string_view text(reinterpret_cast<const char*>(value),
                                     value_size);
        if (key == ":status") stream->http_status = std::string(text);
        if (key == "grpc-status") stream->grpc_status = std::string(text);
        if (key == "grpc-message") stream->grpc_message = std::string(text);
        return 0;
      });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks,
      [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data,
         size_t size, void* user) -> int {
        Stream* stream = static_cast<GrpcChannel*>(user)->stream_.get();
        if (stream == nullptr || id != stream->id) return 0;
        if (stream->answer.size() + size > kMaxAnswerBytes) {
          return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        stream->answer.append(reinterpret_cast<const char*>(data), size);
        return 0;
      });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* user) {
        Stream* stream = static_cast<GrpcChannel*>(user)->stream_.get();
        if (stream == nullptr || id != stream->id) return 0;
        stream->closed = true;
        stream->reset = error;
        return 0;
      });
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, channel);
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

absl::Status GrpcChannel::Connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("agentSocket: '", path_, "': longer than ",
                     sizeof(address.sun_path) - 1, " bytes"));
  }
  memcpy(address.sun_path, path_.data(), path_.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "open a unix socket");
  // EAGAIN: its queue is full, as with an agent that hangs for long.
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot reach eoip-agent at ",
                                               path_, ": ", strerror(errno)));
  }
  session_.reset(NewSession(this));
  if (session_ == nullptr ||
      nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, nullptr, 0) !=
          0) {
    return absl::ResourceExhaustedError("start an HTTP/2 session");
  }
  fd_ = std::move(fd);
  return absl::OkStatus();
}

absl::Status GrpcChannel::Submit(const std::string& method,
                                 const Metadata& metadata,
                                 absl::Time deadline) {
  const std::string timeout = GrpcTimeout(deadline - absl::Now());
  std::vector<nghttp2_nv> headers = {
      Header(":method", "POST"),
      Header(":scheme", "http"),
      Header(":path", method),
      Header(":authority", "localhost"),
      Header("te", "trailers"),
      Header("content-type", "application/grpc"),
      Header("user-agent", "eoip-cni/" EOIP_VERSION_STRING),
      Header("grpc-timeout", timeout)};
  for (const auto& [name, value] : metadata) {
    headers.push_back(Header(name, value));
  }
  nghttp2_data_provider body{};
  body.source.ptr = stream_.get();
  body.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, size_t room,
                          uint32_t* flags, nghttp2_data_source* source,
                          void*) -> ssize_t {
    auto* stream = static_cast<Stream*>(source->ptr);
    const size_t size = std::min(room, stream->request.size() - stream->sent);
    memcpy(to, stream->request.data() + stream->sent, size);
    stream->sent += size;
    if (stream->sent == stream->request.size()) *flags = NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  };
  stream_->id = nghttp2_submit_request(session_.get(), nullptr, headers.data(),
                                       headers.size(), &body, nullptr);
  if (stream_->id >= 0) return absl::OkStatus();
  return Broken(path_, nghttp2_strerror(stream_->id));
}

void GrpcChannel::Dial() {
  if (fd_.valid() || !Connect().ok()) return;
  // The preface and settings, which fit any socket's buffer.
  if (!Send(absl::Now()).ok()) Disconnect();
}

void GrpcChannel::Disconnect() {
  session_.reset();
  fd_.reset();
}

absl::StatusOr<std::string> GrpcChannel::Call(const std::string& method,
                                              absl::string_view request,
                                              const Metadata& metadata,
                                              absl::Time deadline) {
  if (!fd_.valid()) EOIP_RETURN_IF_ERROR(Connect());
  stream_ = std::make_unique<Stream>();
  stream_->request = Frame(request);
  absl::Status status = Submit(method, metadata, deadline);
  if (status.ok()) status = Exchange(deadline);
  if (!status.ok()) {
    // Also takes the call back where it still runs.
    Disconnect();
    return status;
  }
  return Outcome(*stream_);
}

absl::Status GrpcChannel::Exchange(absl::Time deadline) {
  while (!stream_->closed) {
    EOIP_RETURN_IF_ERROR(Send(deadline));
    if (!stream_->closed) EOIP_RETURN_IF_ERROR(Receive(deadline));
  }
  return absl::OkStatus();
}

absl::Status GrpcChannel::Wait(short events, absl::Time deadline) {
  while (true) {
    const int64_t left_ms = absl::ToInt64Milliseconds(
        absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
    pollfd poller{fd_.get(), events, 0};
    const int ready = ::poll(
        &poller, 1, static_cast<int>(std::clamp<int64_t>(left_ms, 0, 1 << 30)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoToStatus(errno, "poll");
    if (ready == 0 && left_ms <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("eoip-agent at ", path_, " did not answer in time"));
    }
  }
}

absl::Status GrpcChannel::Send(absl::Time deadline) {
  // One write for what is pending: preface, settings and request.
  std::string bytes;
  const uint8_t* data = nullptr;
  ssize_t size;
  while ((size = nghttp2_session_mem_send(session_.get(), &data)) > 0) {
    bytes.append(reinterpret_cast<const char*>(data),
                 static_cast<size_t>(size));
  }
  if (size < 0) return Broken(path_, nghttp2_strerror(static_cast<int>(size)));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::send(fd_.get(), bytes.data() + done,
                             bytes.size() - done, MSG_NOSIGNAL);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      EOIP_RETURN_IF_ERROR(Wait(POLLOUT, deadline));
    } else if (errno != EINTR) {
      return Broken(path_, strerror(errno));
    }
  }
  return absl::OkStatus();
}

absl::Status GrpcChannel::Receive(absl::Time deadline) {
  EOIP_RETURN_IF_ERROR(Wait(POLLIN, deadline));
  uint8_t buffer[16384];
  const ssize_t got = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return absl::OkStatus();
  if (got < 0) return Broken(path_, strerror(errno));
  if (got == 0) return Broken(path_, "it was closed");
  const ssize_t used = nghttp2_session_mem_recv(session_.get(), buffer,
                                                static_cast<size_t>(got));
  if (used >= 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "what eoip-agent at ", path_,
      " says is no HTTP/2: ", nghttp2_strerror(static_cast<int>(used))));
}

absl::StatusOr<std::string> GrpcChannel::Outcome(const Stream& stream) {
  int code = 0;
  if (stream.grpc_status.empty()) {
    if (stream.reset != NGHTTP2_NO_ERROR) return FromReset(stream.reset);
    return absl::InternalError(absl::StrCat(
        "no gRPC answer, HTTP status ", absl::CHexEscape(stream.http_status)));
  }
  // 0 to 16 are gRPC's codes, which Abseil shares.
  if (!absl::SimpleAtoi(stream.grpc_status, &code) || code < 0 || code > 16) {
    return absl::UnknownError(absl::StrCat(
        "gRPC status '", absl::CHexEscape(stream.grpc_status), "'"));
  }
  if (code != 0) {
    return absl::Status(static_cast<absl::StatusCode>(code),
                        DecodePercent(stream.grpc_message));
  }
  if (stream.answer.size() < kPrefixBytes ||
      stream.answer !=
          Frame(absl::string_view(stream.answer).substr(kPrefixBytes))) {
    return absl::InternalError("the answer is no plain gRPC message");
  }
  return stream.answer.substr(kPrefixBytes);
}

std::string DecodePercent(absl::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const absl::string_view digits = text.substr(i, 3).substr(text[i] == '%');
    if (text[i] == '%' && digits.size() == 2 &&
        absl::ascii_isxdigit(digits[0]) && absl::ascii_isxdigit(digits[1])) {
      plain += absl::HexStringToBytes(digits);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::string GrpcTimeout(absl::Duration timeout) {
  // At most 8 digits.
  constexpr int64_t kMost = 99'999'999;
  const int64_t ms =
      absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
  if (ms <= kMost) return absl::StrCat(std::max<int64_t>(ms, 0), "m");
  return absl::StrCat(std::min(ms / 1000, kMost), "S");
}

}  // namespace eoip::cni
