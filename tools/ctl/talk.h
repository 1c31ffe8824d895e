// One request to the relay's control socket and its answer, line by line.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace ringpost::ctl {

// Ends the program with 1 and a word to the user.
[[noreturn]] void die(const std::string& text);

// How an answer ended.
struct End {
  bool good = false;
  std::string error;  // the relay's words
  std::string after;  // more behind it: the cursor to go on with
};

// Sends the request; calls `on_line` for each object of the answer, with its text as it came.
End ask(const std::string& socket_path, const nlohmann::ordered_json& request,
        const std::function<void(const std::string& text, nlohmann::ordered_json object)>& on_line);

}  // namespace ringpost::ctl
