#include "sqlguard/results/wire_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace agentsh::sql {
namespace {

// Oids below are given by hand in pg_type.dat and never change; those above are a database's own.
constexpr std::uint32_t kFirstOwn = 10'000;

constexpr std::uint32_t kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kOid = 26, kFloat4 = 700,
                        kFloat8 = 701, kNumeric = 1700;

struct ArrayType {
  std::uint32_t array, element;
};
constexpr ArrayType kArrays[] = {
    {143, 142}, {199, 114},   {1000, 16},   {1001, 17},   {1002, 18},   {1003, 19},   {1005, 21},
    {1007, 23}, {1009, 25},   {1014, 1042}, {1015, 1043}, {1016, 20},   {1021, 700},  {1022, 701},
    {1028, 26}, {1115, 1114}, {1182, 1082}, {1185, 1184}, {1231, 1700}, {1263, 2275}, {1041, 869},
    {651, 650}, {2951, 2950}, {3807, 3802}, {2287, 2249}};

// numeric_send(): digits of base 10000, weight, sign, scale.
std::optional<std::string> numeric_text(Bytes value) {
  ByteReader reader(value);
  const std::uint16_t digits = reader.u16();
  const auto weight = static_cast<std::int16_t>(reader.u16());
  const std::uint16_t sign = reader.u16();
  reader.u16();
  if (!reader.ok() || reader.remaining() != digits * 2u || weight > 1000 || weight < -1000)
    return std::nullopt;
  std::string text = sign == 0x4000 ? "-" : "";
  for (int at = std::min<int>(weight, 0); at <= std::max<int>(weight, 0) || at < digits; ++at) {
    const bool there = at >= 0 && at < digits;
    const unsigned digit = there ? reader.u16() : 0;
    if (at >= 0) text += fmt::format("{:04}", digit);
    if (at == weight && at + 1 < digits) text += '.';
  }
  // Leading zeros of the first digit are not part of the number.
  const std::size_t begin = sign == 0x4000 ? 1 : 0;
  const std::size_t first = std::min(text.find_first_not_of('0', begin), text.size() - 1);
  return text.erase(begin, first - begin);
}

}  // namespace

std::uint32_t element_type(std::uint32_t array) {
  const auto found = std::ranges::find(kArrays, array, &ArrayType::array);
  return found == std::end(kArrays) ? 0 : found->element;
}

TypeClass class_of(std::uint32_t type) {
  switch (type) {
    case 18:    // "char"
    case 19:    // name
    case 25:    // text
    case 142:   // xml
    case 705:   // unknown
    case 1042:  // bpchar
    case 1043:  // varchar
    case 2275:  // cstring
      return TypeClass::kText;
    case 114:
      return TypeClass::kJson;
    case 3802:
      return TypeClass::kJsonb;
    case kInt8:
    case kInt2:
    case kInt4:
    case kOid:
    case kFloat4:
    case kFloat8:
    case kNumeric:
      return TypeClass::kNumber;
    case kBytea:
      return TypeClass::kBytes;
    default:
      if (type == 0 || type >= kFirstOwn) return TypeClass::kUnknown;
      return element_type(type) != 0 ? TypeClass::kArray : TypeClass::kOther;
  }
}

std::optional<std::string> number_text(std::uint32_t type, Bytes value) {
  ByteReader reader(value);
  switch (type) {
    case kInt2:
      if (value.size() == 2) return fmt::format("{}", static_cast<std::int16_t>(reader.u16()));
      return std::nullopt;
    case kInt4:
      if (value.size() == 4) return fmt::format("{}", static_cast<std::int32_t>(reader.u32()));
      return std::nullopt;
    case kOid:
      if (value.size() == 4) return fmt::format("{}", reader.u32());
      return std::nullopt;
    case kFloat4:
      if (value.size() == 4) return fmt::format("{}", std::bit_cast<float>(reader.u32()));
      return std::nullopt;
    case kInt8:
    case kFloat8: {
      if (value.size() != 8) return std::nullopt;
      const std::uint64_t high = reader.u32();
      const std::uint64_t bits = high << 32 | reader.u32();
      if (type == kInt8) return fmt::format("{}", static_cast<std::int64_t>(bits));
      return fmt::format("{:f}", std::bit_cast<double>(bits));
    }
    case kNumeric:
      return numeric_text(value);
    default:
      return std::nullopt;
  }
}

}  // namespace agentsh::sql
