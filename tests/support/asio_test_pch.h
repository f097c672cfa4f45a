// Precompiled header of unit tests that speak Asio: agentsh_test(... ASIO).
#pragma once

#include "proxy/net/asio_pch.h"
#include "tests/support/test_pch.h"
