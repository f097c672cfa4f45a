// Keys of the standing database guard.
#include "appliance/config/items_field.h"
#include "appliance/config/schema.h"

namespace agentsh::config {
namespace {

using policy::Need;
using policy::YamlNode;
using policy::YamlReader;

bool read_path(YamlReader& reader, std::string_view key, ReadContext& context, std::string& out) {
  std::string text;
  if (!reader.text(key, text)) return reader.get(key).empty();
  return path_field(out)->read(reader.get(key), reader.path_of(key), context);
}

class GuardListenersField final : public ItemsField<GuardListener> {
 public:
  explicit GuardListenersField(std::vector<GuardListener>& value)
      : ItemsField(value, "a list of {address, service, policy, cert_file, key_file}") {}

 private:
  bool read_item(YamlReader& reader, ReadContext& context, GuardListener& item) override {
    std::optional<Endpoint> address;
    const YamlNode node = reader.require("address");
    if (node.empty() || !endpoint_field(address)->read(node, reader.path_of("address"), context) ||
        !address)
      return false;
    item.address = *address;
    bool good = reader.text("service", item.service, Need::kRequired);
    reader.text("policy", item.policy);
    good &= read_path(reader, "cert_file", context, item.cert_file);
    good &= read_path(reader, "key_file", context, item.key_file);
    if (item.cert_file.empty() != item.key_file.empty()) {
      reader.error("cert_file", "needs key_file, and key_file needs it");
      return false;
    }
    if (item.cert_file.empty() && classify(item.address.address) != AddressClass::kLoopback) {
      context.problems.warning(reader.where(), reader.path_of("address"),
                               "statements and results cross the network in clear text: set "
                               "cert_file and key_file, or listen on 127.0.0.1");
    }
    return good;
  }
  void write_item(JsonWriter& out, const GuardListener& item) const override {
    out.field("address", item.address.to_string()).field("service", item.service);
    out.optional_field("policy", item.policy).optional_field("cert_file", item.cert_file);
    out.optional_field("key_file", item.key_file);
  }
};

}  // namespace

void add_guard_keys(Schema& schema, ServerConfig& config) {
  GuardSection& guard = config.guard;
  schema.add(
      "guard.listeners", std::make_unique<GuardListenersField>(guard.listeners),
      "Where the database guard listens; without any there is none outside of sessions. Each "
      "leads to a service of a policy's db_services, whose rules hold. With cert_file clients "
      "may speak TLS, which needs credentials for the service.");
  schema.add("guard.threads", integer_field(guard.threads, 0, 256),
             "Threads that serve the guard's clients; 0: one per processor.");
}

}  // namespace agentsh::config
