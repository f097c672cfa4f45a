// Validators on values whose verdict is known: examples of the authorities and issuers, and the
// same with one character changed.

#include "dlp/validators/validator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace agentsh::dlp {
namespace {

struct KnownValue {
  std::string_view validator;
  std::string_view value;
  bool holds;
};

void PrintTo(const KnownValue& known, std::ostream* out) {
  *out << known.validator << " of " << known.value;
}

class KnownValueTest : public testing::TestWithParam<KnownValue> {};

TEST_P(KnownValueTest, Verdict) {
  const auto validator = Validator::parse(GetParam().validator);
  ASSERT_TRUE(validator) << validator.error().what;
  EXPECT_EQ((*validator)(GetParam().value), GetParam().holds);
}

constexpr KnownValue kCards[] = {
    {"luhn", "79927398713", true},
    {"luhn", "79927398710", false},
    {"credit_card", "4111 1111 1111 1111", true},
    {"credit_card", "4111 1111 1111 1112", false},
    {"credit_card", "378282246310005", true},
    {"credit_card", "6011-1111-1111-1117", true},
    {"credit_card", "3530111333300000", true},
    {"credit_card", "5555555555554444", true},
    {"credit_card", "30569309025904", true},
    {"credit_card", "9999999999999995", false},  // Luhn holds, no issuer.
    {"credit_card", "1234567812345670", false},  // The same.
    {"credit_card", "4000000000000002x", false},
    {"credit_card", "411111111111", false},
    {"card_track", "%B4111111111111111^DOE/JANE^3012101000000000000?", true},
    {"card_track", ";4111111111111111=30121010000000000?", true},
    {"card_track", ";4111111111111111=30131010000000000?", false},  // Month 13.
    {"card_track", ";4111111111111112=30121010000000000?", false},
    {"iban", "GB82 WEST 1234 5698 7654 32", true},
    {"iban", "GB82WEST12345698765433", false},
    {"iban", "DE89370400440532013000", true},
    {"iban", "FR1420041010050500013M02606", true},
    {"iban", "DE8937040044053201300", false},  // Too short for its country.
    {"iban", "XX89370400440532013000", false},
    {"bic", "DEUTDEFF", true},
    {"bic", "DEUTDEFF500", true},
    {"bic", "DEUTQQFF", false},
    {"bic", "DEUTDEFF5", false},
    {"aba_routing", "011000015", true},
    {"aba_routing", "011000016", false},
};
INSTANTIATE_TEST_SUITE_P(Cards, KnownValueTest, testing::ValuesIn(kCards));

constexpr KnownValue kIdentities[] = {
    {"us_ssn", "219-09-9998", true},
    {"us_ssn", "219-09-9999", false},  // Printed in a brochure.
    {"us_ssn", "078-05-1120", false},  // Printed in wallets.
    {"us_ssn", "666-12-3456", false},
    {"us_ssn", "000-12-3456", false},
    {"us_ssn", "900-12-3456", false},
    {"us_ssn", "123-00-4567", false},
    {"us_itin", "912-70-1234", true},
    {"us_itin", "912-89-1234", false},
    {"us_ein", "12-3456780", true},
    {"us_ein", "07-1234567", false},
    {"us_npi", "1234567893", true},
    {"us_npi", "1234567894", false},
    {"us_dea", "AB1234563", true},
    {"us_dea", "AB1234564", false},
    {"ca_sin", "046 454 286", false},  // Begins with 0: never issued.
    {"ca_sin", "130 692 544", true},
    {"ca_sin", "130 692 545", false},
    {"br_cpf", "529.982.247-25", true},
    {"br_cpf", "529.982.247-26", false},
    {"br_cpf", "111.111.111-11", false},
    {"br_cnpj", "11.222.333/0001-81", true},
    {"br_cnpj", "11.222.333/0001-82", false},
    {"mx_curp", "BOXW310820HNERXN09", true},
    {"mx_curp", "BOXW310820HNERXN08", false},
    {"mx_rfc", "GODE561231GR8", true},
    {"mx_rfc", "GODE561231GR9", false},
    {"ar_cuit", "20-05536168-2", true},
    {"ar_cuit", "20-05536168-3", false},
    {"cl_rut", "12.531.909-2", true},
    {"cl_rut", "12.531.909-3", false},
    {"co_nit", "213.123.432-1", true},
    {"co_nit", "213.123.432-2", false},
    {"ec_cedula", "1714307103", true},
    {"ec_cedula", "1714307104", false},
    {"uk_nino", "AB123456C", false},  // The digits are a sequence.
    {"uk_nino", "AB523456C", true},
    {"uk_nino", "GB523456C", false},
    {"uk_nino", "QQ523456C", false},
    {"uk_nhs", "943 476 5919", true},
    {"uk_nhs", "943 476 5918", false},
    {"uk_utr", "1955839661", true},
    {"uk_utr", "2955839661", false},
    {"uk_driving_licence", "MORGA657054SM9IJ", true},
    {"uk_driving_licence", "MORGA657994SM9IJ", false},
    {"ie_pps", "6433435F", true},
    {"ie_pps", "6433435E", false},
    {"ie_pps", "6433435OA", true},
    {"de_tax_id", "36574261809", true},
    {"de_tax_id", "36574261808", false},
    {"de_social_security", "15070649C103", true},
    {"de_social_security", "15070649C104", false},
    {"fr_nir", "2 95 10 99 126 111 93", true},
    {"fr_nir", "2 95 10 99 126 111 92", false},
    {"es_dni", "54362315K", true},
    {"es_dni", "54362315A", false},
    {"es_nie", "X2482300W", true},
    {"es_nie", "X2482300A", false},
    {"it_codice_fiscale", "RCCMNL83S18D969H", true},
    {"it_codice_fiscale", "RCCMNL83S18D969I", false},
    {"nl_bsn", "111222333", true},
    {"nl_bsn", "111252333", false},
    {"be_national_number", "85.07.30-033.28", true},
    {"be_national_number", "85.07.30-033.29", false},
    {"pt_nif", "501964843", true},
    {"pt_nif", "501964842", false},
    {"at_social_security", "1237 010180", true},
    {"at_social_security", "2237 010180", false},
    {"ean13", "756.9217.0769.85", true},
    {"ean13", "756.9217.0769.84", false},
    {"gr_afm", "094259216", true},
    {"gr_afm", "094259217", false},
    {"gr_amka", "01013099997", true},
    {"gr_amka", "01013099998", false},
    {"pl_pesel", "44051401359", true},
    {"pl_pesel", "44051401358", false},
    {"pl_nip", "856-734-62-15", true},
    {"pl_nip", "856-734-62-14", false},
    {"ro_cnp", "1630615123457", true},
    {"ro_cnp", "1630615123458", false},
    {"cz_birth_number", "710319/2745", true},
    {"cz_birth_number", "710319/2746", false},
    {"cz_birth_number", "991231/123", false},
    {"bg_egn", "7523169263", true},
    {"bg_egn", "7523169264", false},
    {"iso7064_mod11_10", "33392005961", true},
    {"iso7064_mod11_10", "33392005962", false},
    {"si_emso", "0101006500006", true},
    {"si_emso", "0101006500007", false},
    {"ua_rnokpp", "1759013776", true},
    {"ua_rnokpp", "1759013770", false},
    {"ru_inn", "7707083893", true},
    {"ru_inn", "7707083894", false},
    {"ru_inn", "500100732259", true},
    {"ru_snils", "112-233-445 95", true},
    {"ru_snils", "112-233-445 96", false},
    {"eu_vat", "DE136695976", true},
    {"eu_vat", "DE136695978", false},
    {"eu_vat", "FR40303265045", true},
    {"eu_vat", "FR41303265045", false},
    {"eu_vat", "IT00743110157", true},
    {"eu_vat", "BE0428759497", true},
    {"eu_vat", "DK13585628", true},
    {"eu_vat", "DK13585627", false},
    {"eu_vat", "FI20774740", true},
    {"eu_vat", "SE123456789701", true},
    {"se_personnummer", "880320-0016", true},
    {"se_personnummer", "880320-0018", false},
    {"se_personnummer", "19880320-0016", true},
    {"no_fodselsnummer", "151086 95088", true},
    {"no_fodselsnummer", "151086 95077", false},
    {"fi_hetu", "131052-308T", true},
    {"fi_hetu", "131052-308U", false},
    {"dk_cpr", "211062-5629", true},
    {"dk_cpr", "311162-5629", false},  // No such day.
    {"is_kennitala", "450401-3150", true},
    {"is_kennitala", "320174-3399", false},
    {"ee_isikukood", "36805280109", true},
    {"ee_isikukood", "36805280108", false},
    {"ee_isikukood", "33309240064", true},
    {"lv_personas_kods", "161175-19997", true},
    {"lv_personas_kods", "161375-19997", false},
    {"tr_tckn", "17291716060", true},
    {"tr_tckn", "17291716050", false},
    {"il_id", "039337423", true},
    {"il_id", "039337424", false},
    {"za_id", "7503305044089", true},
    {"za_id", "8503305044089", false},
    {"in_aadhaar", "2341 2341 2346", true},
    {"in_aadhaar", "2341 2341 2347", false},
    {"in_gstin", "27AAPFU0939F1ZV", true},
    {"in_gstin", "27AAPFU0939F1ZO", false},
    {"cn_resident_id", "11010519491231002X", true},
    {"cn_resident_id", "110105194912310025", false},
    {"hk_id", "G123456(A)", true},
    {"hk_id", "G123456(9)", false},
    {"hk_id", "AB987654(3)", true},
    {"tw_id", "A123456789", true},
    {"tw_id", "A123456788", false},
    {"jp_my_number", "1234 5678 9018", true},
    {"jp_my_number", "1234 5678 9019", false},
    {"kr_rrn", "971013-9019902", true},
    {"kr_rrn", "971332-1019902", false},
    {"sg_nric", "S0000001I", true},
    {"sg_nric", "S0000001J", false},
    {"sg_nric", "F1234567N", true},
    {"th_id", "1-2345-67890-12-1", true},
    {"th_id", "1-2345-67890-12-2", false},
    {"au_tfn", "123 456 782", true},
    {"au_tfn", "999 999 999", false},
    {"au_abn", "51 824 753 556", true},
    {"au_abn", "51 824 753 557", false},
    {"au_medicare", "2123 45670 1", true},
    {"au_medicare", "2123 45671 1", false},
    {"nz_ird", "49-091-850", true},
    {"nz_ird", "136410132", true},
    {"nz_ird", "136410133", false},
};
INSTANTIATE_TEST_SUITE_P(Identities, KnownValueTest, testing::ValuesIn(kIdentities));

constexpr KnownValue kTokens[] = {
    {"github_checksum", "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", true},
    {"github_checksum", "ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", false},
    {"github_checksum", "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", true},
    {"jwt",
     "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0"
     "IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
     true},
    {"jwt", "eyJmb28iOiJiYXIifQ.eyJzdWIiOiIxIn0.SflKxwRJSMeKKF2QT4fwpMeJf36", false},  // No "alg".
    {"basic_credentials", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true},                       // RFC 7617.
    {"basic_credentials", "QWxhZGRpbg==", false},
    {"base64_json(4)", "ops_eyJhIjoxfQ", true},
    {"base64_json(4)", "ops_ZXlKaElqb3g=", false},
    {"bech32", "A12UEL5L", true},  // BIP 173.
    {"bech32", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", true},
    {"bech32", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxq", false},
    {"bech32", "A1LQFN3A", true},  // BIP 350.
    {"bech32", "A12UEL5l", false},
    {"bitcoin_address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", true},
    {"bitcoin_address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", false},
    {"bitcoin_address", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", true},
    {"bitcoin_address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", true},
    {"base58check(128)", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", true},
    {"base58check(128)", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK", false},
    {"base58check(0)", "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", false},
    {"ethereum_address", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", true},  // EIP-55.
    {"ethereum_address", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", false},
    {"ethereum_address", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", true},
    {"ethereum_address", "0x0000000000000000000000000000000000000001", false},
    {"litecoin_address", "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", true},
    {"litecoin_address", "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH8", false},
};
INSTANTIATE_TEST_SUITE_P(Tokens, KnownValueTest, testing::ValuesIn(kTokens));

constexpr KnownValue kOthers[] = {
    {"email", "jane.doe+tag@mail.example.co.uk", true},
    {"email", "jane@localhost", false},
    {"email", "icon@2x.png", false},
    {"email", "getty@tty1.service", false},
    {"email", "a..b@example.com", false},
    {"phone_e164", "+1 (415) 555-2671", true},
    {"phone_e164", "+44 (0)20 7946 0958", true},
    {"phone_e164", "+49 30 901820", true},
    {"phone_e164", "+33 1 23 45", false},
    {"phone_e164", "+999 123 456 789", false},
    {"phone_us", "(212) 555-0123", true},
    {"phone_us", "(911) 555-0123", false},
    {"phone_us", "(212) 155-0123", false},
    {"phone_national", "020 7946 0958", true},
    {"phone_national", "20240131", false},  // A date.
    {"birth_date", "1984-02-29", true},
    {"birth_date", "1985-02-29", false},
    {"birth_date", "March 3, 1990", true},
    {"birth_date", "3/14/1990", true},
    {"birth_date", "1612-01-01", false},
    {"vin", "1M8GDM9AXKP042788", true},
    {"vin", "1M8GDM9A1KP042788", false},
    {"imei", "490154203237518", true},
    {"imei", "490154203237519", false},
    {"public_ipv4", "93.184.216.34", true},
    {"public_ipv4", "10.1.2.3", false},
    {"public_ipv4", "203.0.113.7", false},
    {"public_ipv4", "3.10.2.1", false},  // A version.
    {"public_ipv4", "93.184.216.340", false},
    {"public_ipv6", "2606:2800:220:1:248:1893:25c8:1946", true},
    {"public_ipv6", "2001:db8::1", false},
    {"public_ipv6", "2001:1:2", false},
    {"mac_address", "3c:52:82:1a:0b:ff", true},
    {"mac_address", "00:00:00:00:00:00", false},
    {"mac_address", "00:11:22:33:44:55", false},
    {"coordinates", "52.520008, 13.404954", true},
    {"coordinates", "152.520008, 13.404954", false},
    // ICAO Doc 9303, part 4 and 5.
    {"passport_mrz",
     "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
     true},
    {"passport_mrz",
     "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<11",
     false},
    {"id_card_mrz",
     "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<"
     "<",
     true},
    {"id_card_mrz",
     "I<UTOD231458908<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<"
     "<",
     false},
    {"entropy(3)", "aaaaaaaabbbb", false},
    {"entropy(3)", "8fH2kQ9zLm4x", true},
    {"classes(3)", "aB1", true},
    {"classes(3)", "ab1", false},
    {"length(3, 4)", "abcd", true},
    {"length(3, 4)", "abcde", false},
    {"not_placeholder", "your-api-key-goes-here", false},
    {"not_placeholder", "AKIAIOSFODNN7EXAMPLE", false},
    {"not_placeholder", "${DB_PASSWORD}", false},
    {"not_placeholder", "t0ps3cret", true},
    {"not_sequence", "123456789", false},
    {"not_sequence", "A11111111", false},
    {"not_sequence", "483920175", true},
    {"random_token", "process.env.STRIPE_KEY_2", false},
    {"random_token", "kubernetes-dashboard-token-17", false},
    {"random_token", "q8Xf2LwZt0Rk5VhJ7nYb", true},
    {"password_like", "self.password2", false},
    {"password_like", "Summer2026!", true},
    {"password_like", "required", false},
    {"password_like", "getpass", false},
};
INSTANTIATE_TEST_SUITE_P(Others, KnownValueTest, testing::ValuesIn(kOthers));

TEST(ValidatorTable, IsSortedWithoutDoubles) {
  std::set<std::string_view> names;
  for (const ValidatorEntry& entry : validators()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.what.empty()) << entry.name;
  }
  EXPECT_TRUE(std::ranges::is_sorted(validators(), {}, &ValidatorEntry::name));
}

TEST(ValidatorTable, NoValueIsTooStrange) {
  const std::string long_value(70000, '7');
  const std::string bytes("\x00\xff\x80\n-()+%.$\x01", 12);
  for (const ValidatorEntry& entry : validators()) {
    ValidatorParameters parameters;
    parameters.numbers.assign(entry.min_parameters, 1);
    for (const std::string_view value :
         {std::string_view("x"), std::string_view("7"), std::string_view("P<"),
          std::string_view("-----BEGIN"), std::string_view(long_value), std::string_view(bytes)}) {
      entry.function(value, parameters);
    }
    for (std::size_t size = 0; size < 100; ++size) {
      entry.function(std::string(size, '\xfe'), parameters);
      entry.function(std::string(size, '<'), parameters);
      entry.function(std::string(size, '9'), parameters);
    }
  }
}

TEST(ValidatorParse, ReadsParameters) {
  const auto validator = Validator::parse(" length( 3 ,4 ) ");
  ASSERT_TRUE(validator);
  EXPECT_EQ(validator->name(), "length");
  EXPECT_EQ(validator->parameters().numbers, (std::vector<double>{3, 4}));
}

TEST(ValidatorParse, SaysWhatIsWrong) {
  EXPECT_EQ(Validator::parse("lunh").error().what, "no validator 'lunh'; the nearest is 'luhn'");
  EXPECT_FALSE(Validator::parse("entropy"));
  EXPECT_FALSE(Validator::parse("entropy(1, 2)"));
  EXPECT_FALSE(Validator::parse("entropy(1"));
  EXPECT_FALSE(Validator::parse("luhn(1)"));
  EXPECT_FALSE(Validator::parse(""));
}

}  // namespace
}  // namespace agentsh::dlp
