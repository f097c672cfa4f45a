// The catalogue that is shipped: it builds as a whole, and each detector finds its examples alone.
// A test of its own because it compiles several hundred automata.
#include "dlp/catalogue.h"
#include "dlp/scanner.h"

#include <gtest/gtest.h>

namespace agentsh::dlp {
namespace {

TEST(ShippedCatalogue, BuildsAndFindsItsExamples) {
  const auto detectors = builtin_catalogue();
  ASSERT_TRUE(detectors) << detectors.error().what;
  const auto scanner = Scanner::build(*detectors);
  ASSERT_TRUE(scanner) << scanner.error().what;
  for (const std::string& wrong : check_examples(*detectors)) ADD_FAILURE() << wrong;
}

}  // namespace
}  // namespace agentsh::dlp
