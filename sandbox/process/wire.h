// A compact binary form for what the daemon and its session inits say to each other over a Unix
// socket. Both ends are built from the same tree and run on the same host, so numbers are in host
// order and there are no versions.
//
// A type takes part by listing its members once, for both directions:
//
//   template <class Archive>
//   void describe(Archive& archive, BindMount& bind) { archive(bind.source, bind.target,
//   bind.writable); }
#pragma once

#include "base/result.h"

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace agentsh::sandbox {

class WireWriter {
 public:
  template <class... Values>
  void operator()(Values&... values) {
    (write(values), ...);
  }
  std::string take() { return std::move(out_); }

 private:
  template <class Value>
  void write(Value& value) {
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (std::same_as<Value, std::string>) {
      write_size(value.size());
      out_ += value;
    } else if constexpr (requires { value.push_back(value.front()); }) {
      write_size(value.size());
      for (auto& element : value) write(element);
    } else if constexpr (requires { value.first; }) {
      (*this)(value.first, value.second);
    } else if constexpr (requires { value.has_value(); }) {
      bool present = value.has_value();
      write(present);
      if (present) write(*value);
    } else {
      describe(*this, value);
    }
  }
  void write_size(std::size_t size) {
    auto count = static_cast<std::uint32_t>(size);
    write(count);
  }
  std::string out_;
};

// Fails, and stays failed, when the bytes end early or a length cannot be true.
class WireReader {
 public:
  explicit WireReader(std::string_view data) : data_(data) {}

  template <class... Values>
  void operator()(Values&... values) {
    (read(values), ...);
  }
  bool complete() const { return ok_ && data_.empty(); }

 private:
  template <class Value>
  void read(Value& value) {
    if constexpr (std::is_arithmetic_v<Value> || std::is_enum_v<Value>) {
      std::string_view bytes = take(sizeof value);
      if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    } else if constexpr (std::same_as<Value, std::string>) {
      value = take(read_size());
    } else if constexpr (requires { value.push_back(value.front()); }) {
      const std::size_t count = read_size();
      if (count > data_.size()) ok_ = false;  // Every element takes a byte at least.
      value.clear();
      for (std::size_t i = 0; ok_ && i < count; ++i) {
        value.emplace_back();
        read(value.back());
      }
    } else if constexpr (requires { value.first; }) {
      (*this)(value.first, value.second);
    } else if constexpr (requires { value.has_value(); }) {
      bool present = false;
      read(present);
      if (ok_ && present) read(value.emplace());
    } else {
      describe(*this, value);
    }
  }
  std::size_t read_size() {
    std::uint32_t count = 0;
    read(count);
    return count;
  }
  std::string_view take(std::size_t count) {
    if (!ok_ || count > data_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view taken = data_.substr(0, count);
    data_.remove_prefix(count);
    return taken;
  }

  std::string_view data_;
  bool ok_ = true;
};

template <class Message>
std::string to_wire(Message& message) {
  WireWriter writer;
  writer(message);
  return writer.take();
}

template <class Message>
Result<Message> from_wire(std::string_view data) {
  Message message{};
  WireReader reader(data);
  reader(message);
  if (!reader.complete())
    return fail("malformed message between daemon and session", std::errc::bad_message);
  return message;
}

}  // namespace agentsh::sandbox
