# Every third-party library, found once, as one imported target each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
# fmt is compiled into base (base/fmt_library.cc).
find_path(FMT_INCLUDE fmt/format-inl.h REQUIRED)
find_package(ZLIB REQUIRED)
find_package(SQLite3 REQUIRED)

find_package(Boost 1.81 REQUIRED)  # headers only: Asio and Beast

pkg_check_modules(yaml_cpp REQUIRED IMPORTED_TARGET yaml-cpp)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
# It says -pthread, which changes nothing here but that its users could not share a precompiled header with others.
set_property(TARGET PkgConfig::re2 PROPERTY INTERFACE_COMPILE_OPTIONS "")
pkg_check_modules(libhs REQUIRED IMPORTED_TARGET libhs)  # Vectorscan
pkg_check_modules(brotlidec REQUIRED IMPORTED_TARGET libbrotlidec)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(libbpf REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(libnftnl REQUIRED IMPORTED_TARGET libnftnl)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)

# RapidJSON is headers only. Values are read by base/json_reader.h and written by base/json_writer.h.
find_path(RAPIDJSON_INCLUDE rapidjson/document.h REQUIRED)

if(AGENTSH_TESTS)
  find_package(GTest REQUIRED)
  pkg_check_modules(brotlienc REQUIRED IMPORTED_TARGET libbrotlienc)
  find_package(benchmark REQUIRED)
endif()
