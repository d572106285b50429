#include "anybit/model/hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace anybit::model {
namespace {

constexpr long kConnectSeconds = 20;
constexpr long kSilentSeconds = 60;
constexpr long kMostRedirects = 8;

/// What the callbacks of one transfer share.
struct Transfer {
  const HttpSink& sink;
  CURL* handle;
  HttpHeaders headers;
  Status status;  // The first error of the sink.
  bool has_begun = false;

  long response_code() const {
    long code = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
};

size_t on_header(char* text, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(text, size * count);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  std::string_view value = line.substr(colon + 1);
  const size_t first = value.find_first_not_of(" \t");
  const size_t last = value.find_last_not_of(" \t\r\n");
  value = first == std::string_view::npos ? "" : value.substr(first, last - first + 1);
  transfer.headers[std::move(name)] = value;
  return size * count;
}

size_t on_body(char* bytes, size_t size, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.response_code() != 200) return size * count;  // The text of an error page.
  if (!transfer.has_begun) {
    transfer.has_begun = true;
    if (transfer.sink.begin) transfer.status = transfer.sink.begin(transfer.headers);
  }
  if (transfer.status) {
    transfer.status = transfer.sink.write(std::as_bytes(std::span(bytes, size * count)));
  }
  return transfer.status ? size * count : 0;
}

int on_progress(void* user, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
  const auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.sink.progress) transfer.sink.progress(done, total);
  return 0;
}

void set_options(CURL* handle, const std::string& url, Transfer& transfer, char* error_text) {
  const bool is_https = url.starts_with("https:");
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "anybit");
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

}  // namespace

Status http_get(const std::string& url, const HttpSink& sink) {
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), &curl_easy_cleanup);
  if (!handle) return fail(ErrorCode::kIo, "{}: libcurl cannot start", url);
  Transfer transfer{.sink = sink, .handle = handle.get(), .headers = {}, .status = {}};
  char error_text[CURL_ERROR_SIZE] = "";
  set_options(handle.get(), url, transfer, error_text);
  const CURLcode code = curl_easy_perform(handle.get());
  if (!transfer.status) return transfer.status;
  if (code != CURLE_OK) {
    return fail(ErrorCode::kIo, "{}: {}", url,
                error_text[0] != '\0' ? error_text : curl_easy_strerror(code));
  }
  const long response = transfer.response_code();
  if (response == 404) return fail(ErrorCode::kNotFound, "{}: status 404, not found", url);
  if (response != 200) {
    return fail(ErrorCode::kIo, "{}: expected status 200, found {}", url, response);
  }
  if (!transfer.has_begun && sink.begin) return sink.begin(transfer.headers);
  return {};
}

Result<std::string> http_get_text(const std::string& url, int64_t max_bytes) {
  std::string text;
  HttpSink sink;
  sink.write = [&](std::span<const std::byte> bytes) -> Status {
    if (static_cast<int64_t>(text.size() + bytes.size()) > max_bytes) {
      return fail(ErrorCode::kIo, "{}: expected an answer of at most {} bytes, found more", url,
                  max_bytes);
    }
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  };
  ANYBIT_TRY(http_get(url, sink));
  return text;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos;
    if (is_plain && byte < 128) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

}  // namespace anybit::model
