// The hub's cache and downloads, against a server on the loopback interface.
#include "anybit/model/hub/hub.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "anybit/model/hub/http.h"
#include "anybit/model/internal/test_checkpoints.h"
#include "anybit/model/open.h"

namespace anybit::model {
namespace {

namespace fs = std::filesystem;
using internal::ScratchFolder;

/// What a path answers.
struct Answer {
  int status = 200;
  std::string body;
  std::string headers;        // Further lines, each ended by CR LF.
  int64_t missing_bytes = 0;  // Announced, and not sent.
};

/// Serves a table of answers on a port of 127.0.0.1, one connection at a time.
class LoopbackServer {
 public:
  explicit LoopbackServer(std::map<std::string, Answer> answers) : answers_(std::move(answers)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    is_up_ = bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
             listen(listener_, 8) == 0 &&
             getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  ~LoopbackServer() {
    shutdown(listener_, SHUT_RDWR);
    close(listener_);
    thread_.join();
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  bool is_up() const { return is_up_; }
  int num_requests() const { return num_requests_; }

 private:
  void serve() {
    for (;;) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      answer(connection);
      close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    char bytes[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = recv(connection, bytes, sizeof(bytes), 0);
      if (count <= 0) return;
      request.append(bytes, static_cast<size_t>(count));
    }
    ++num_requests_;
    const size_t first = request.find(' ') + 1;
    const std::string path = request.substr(first, request.find(' ', first) - first);
    const auto found = answers_.find(path);
    const Answer& reply =
        found == answers_.end() ? Answer{.status = 404, .body = "no"} : found->second;
    const std::string text = fmt::format(
        "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n{}", reply.status,
        static_cast<int64_t>(reply.body.size()) + reply.missing_bytes, reply.headers, reply.body);
    for (size_t sent = 0; sent < text.size();) {
      const ssize_t count = send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<size_t>(count);
    }
  }

  std::map<std::string, Answer> answers_;
  int listener_ = -1;
  int port_ = 0;
  bool is_up_ = false;
  std::atomic<int> num_requests_ = 0;
  std::thread thread_;
};

constexpr char kCommit[] = "0123456789abcdef0123456789abcdef01234567";

/// The tiny Llama as a repository acme/tiny; its weights behind a redirect, as large files are.
std::map<std::string, Answer> repository() {
  const std::string root = fmt::format("/acme/tiny/resolve/{}/", kCommit);
  const Json listing = {{"sha", kCommit},
                        {"siblings",
                         {{{"rfilename", "config.json"}},
                          {{"rfilename", "model.safetensors"}},
                          {{"rfilename", "../../escape.json"}},
                          {{"rfilename", "README.md"}}}}};
  const Json config = internal::golden_cases("llama")[0]["config"];
  const auto weights = read_text_file(internal::golden_folder() / "llama.safetensors");
  EXPECT_TRUE(weights);
  return {
      {"/api/models/acme/tiny/revision/main", {.body = listing.dump()}},
      {root + "config.json", {.body = config.dump(), .headers = "ETag: \"c0ffee\"\r\n"}},
      {root + "model.safetensors",
       {.status = 302,
        .headers = "Location: /store/blob\r\nX-Linked-ETag: \"beef01\"\r\nETag: \"other\"\r\n"}},
      {"/store/blob", {.body = *weights, .headers = "ETag: \"of-the-store\"\r\n"}},
  };
}

HubName tiny() { return *parse_hub_name("hf:acme/tiny"); }

TEST(HubName, Parses) {
  const auto name = parse_hub_name("hf:org-1/repo.x/file.gguf@v2");
  ASSERT_TRUE(name) << name.error().message;
  EXPECT_EQ(name->org, "org-1");
  EXPECT_EQ(name->repo, "repo.x");
  EXPECT_EQ(name->file, "file.gguf");
  EXPECT_EQ(name->revision, "v2");
  EXPECT_EQ(parse_hub_name("hf:a/b")->revision, "main");
  for (const char* text : {"hf:", "hf:a", "hf:a/", "hf:/b", "hf:a/b/c", "hf:a/../b", "hf:../b",
                           "hf:a/b@", "hf:a/b@../x", "a/b", "hf:a b/c", "hf:a/b/c/d.gguf"}) {
    EXPECT_FALSE(parse_hub_name(text)) << text;
  }
}

TEST(Hub, DownloadsOnceIntoTheCacheLayout) {
  const LoopbackServer server(repository());
  ASSERT_TRUE(server.is_up());
  const ScratchFolder scratch;
  std::string progress_note;
  const HubOptions options = {.cache = scratch.path() / "hub",
                              .endpoint = server.url(),
                              .progress = [&](const Progress& progress) {
                                EXPECT_EQ(progress.task, "download");
                                progress_note = progress.note;
                              }};
  const auto path = find_hub_model(tiny(), options);
  ASSERT_TRUE(path) << path.error().message;
  const fs::path folder = options.cache / "models--acme--tiny";
  EXPECT_EQ(*path, folder / "snapshots" / kCommit);
  EXPECT_EQ(*read_text_file(folder / "refs" / "main"), kCommit);
  EXPECT_EQ(fs::read_symlink(*path / "model.safetensors"), fs::path("../../blobs/beef01"));
  EXPECT_TRUE(fs::exists(folder / "blobs" / "c0ffee"));
  EXPECT_FALSE(fs::exists(*path / "README.md"));
  EXPECT_EQ(progress_note, "model.safetensors");
  EXPECT_TRUE(open_model(path->string()));

  const int num_requests = server.num_requests();
  EXPECT_EQ(*find_hub_model(tiny(), options), *path);
  EXPECT_EQ(server.num_requests(), num_requests);
}

TEST(Hub, BrokenDownloadIsNoModelAndResumes) {
  auto answers = repository();
  answers["/store/blob"].body.resize(1000);
  answers["/store/blob"].missing_bytes = 35224;
  const ScratchFolder scratch;
  HubOptions options = {.cache = scratch.path()};
  {
    const LoopbackServer server(answers);
    options.endpoint = server.url();
    const auto path = find_hub_model(tiny(), options);
    ASSERT_FALSE(path);
    EXPECT_NE(path.error().message.find("huggingface-cli download acme/tiny"), std::string::npos);
    EXPECT_NE(path.error().message.find("models--acme--tiny"), std::string::npos);
  }
  const fs::path folder = scratch.path() / "models--acme--tiny";
  EXPECT_FALSE(fs::exists(folder / "refs" / "main"));
  std::vector<std::string> blobs;
  for (const auto& entry : fs::directory_iterator(folder / "blobs")) {
    blobs.push_back(entry.path().filename().string());
  }
  EXPECT_EQ(blobs, std::vector<std::string>{"c0ffee"});

  const LoopbackServer server(repository());
  options.endpoint = server.url();
  EXPECT_TRUE(find_hub_model(tiny(), options));
  EXPECT_EQ(server.num_requests(), 3);  // The listing, the weights, where they are stored.
}

TEST(Hub, SaysWhatWasLookedFor) {
  const ScratchFolder scratch;
  HubOptions options = {
      .cache = scratch.path(), .endpoint = "http://127.0.0.1:9", .is_offline = true};
  const auto offline = find_hub_model(tiny(), options);
  ASSERT_FALSE(offline);
  EXPECT_EQ(offline.error().code, ErrorCode::kNotFound);
  for (const char* part : {"acme/tiny", "main", "models--acme--tiny", "HF_HUB_OFFLINE"}) {
    EXPECT_NE(offline.error().message.find(part), std::string::npos) << offline.error().message;
  }
  options.is_offline = false;
  const auto unreachable = find_hub_model(tiny(), options);
  ASSERT_FALSE(unreachable);
  EXPECT_NE(unreachable.error().message.find("127.0.0.1:9"), std::string::npos);

  const LoopbackServer server({{"/api/models/acme/tiny/revision/main", {.body = "<html>"}}});
  options.endpoint = server.url();
  EXPECT_FALSE(find_hub_model(tiny(), options));
}

TEST(Hub, FindsOneGgufFileInACacheAnotherProgramFilled) {
  const ScratchFolder scratch;
  const fs::path folder = scratch.path() / "models--acme--tiny";
  const fs::path snapshot = folder / "snapshots" / kCommit;
  fs::create_directories(snapshot);
  fs::create_directories(folder / "refs");
  ASSERT_TRUE(write_file(folder / "refs" / "main", std::string(kCommit) + "\n"));
  ASSERT_TRUE(write_file(snapshot / "a.gguf", "x"));
  const HubOptions options = {.cache = scratch.path(), .is_offline = true};
  EXPECT_EQ(*find_hub_model(tiny(), options), snapshot / "a.gguf");
  ASSERT_TRUE(write_file(snapshot / "b.gguf", "x"));
  EXPECT_FALSE(find_hub_model(tiny(), options));
  EXPECT_EQ(*find_hub_model(*parse_hub_name("hf:acme/tiny/b.gguf"), options), snapshot / "b.gguf");
  const std::string by_commit = fmt::format("hf:acme/tiny/b.gguf@{}", kCommit);
  EXPECT_TRUE(find_hub_model(*parse_hub_name(by_commit), options));
}

TEST(Http, ReportsStatusRedirectsAndLimits) {
  const LoopbackServer server(
      {{"/a b", {.body = "plain"}},
       {"/a%20b", {.body = "text"}},
       {"/loop", {.status = 302, .headers = "Location: /loop\r\n"}},
       {"/out", {.status = 302, .headers = "Location: file:///etc/hosts\r\n"}},
       {"/error", {.status = 500}}});
  EXPECT_EQ(*http_get_text(server.url() + "/" + percent_encode("a b"), 4), "text");
  EXPECT_FALSE(http_get_text(server.url() + "/a%20b", 3));
  EXPECT_EQ(http_get_text(server.url() + "/none", 100).error().code, ErrorCode::kNotFound);
  for (const char* path : {"/loop", "/out", "/error"}) {
    const auto answer = http_get_text(server.url() + path, 100);
    ASSERT_FALSE(answer) << path;
    EXPECT_EQ(answer.error().code, ErrorCode::kIo);
    EXPECT_NE(answer.error().message.find(path), std::string::npos) << answer.error().message;
  }
}

}  // namespace
}  // namespace anybit::model
