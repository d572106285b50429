// HTTP GET over libcurl, for the model hub. Nothing else of a web client is here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "anybit/base/result.h"

namespace anybit::model {

/// Header fields by lower-case name. Of a redirected request: of all answers, later ones winning.
using HttpHeaders = std::map<std::string, std::string>;

/// Takes the body as it comes.
struct HttpSink {
  /// Called once, before the first byte, with the headers. May be empty.
  std::function<Status(const HttpHeaders&)> begin;
  std::function<Status(std::span<const std::byte>)> write;
  /// Bytes so far, and in all (0: unknown). May be empty.
  std::function<void(int64_t done, int64_t total)> progress;
};

/// GETs `url` (http or https), following redirects, never from https to http.
/// Errors: kNotFound for status 404; kIo naming the URL for any other status but 200, a broken
/// connection, a body shorter than announced, or silence for a minute; the sink's.
Status http_get(const std::string& url, const HttpSink& sink);

/// The body of a small answer. Errors: as above; kIo if it is longer than max_bytes.
Result<std::string> http_get_text(const std::string& url, int64_t max_bytes);

/// `text` with every byte percent-encoded that a URL's path may not hold.
std::string percent_encode(std::string_view text);

}  // namespace anybit::model
