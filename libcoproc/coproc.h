/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The umbrella header, the only one that programs include.
 */
#pragma once

#define COPROC_INSIDE

#include <coproc-version.h>
#include <coproc-types.h>
#include <coproc-error.h>
#include <coproc-interrupt.h>
#include <messenger/coproc-message.h>
#include <messenger/coproc-payload.h>
#include <messenger/coproc-messenger.h>
#include <messenger/coproc-multi-messenger.h>
#include <messenger/coproc-priority-messenger.h>
#include <pool/coproc-map-operation.h>
#include <pool/coproc-pool-worker.h>
#include <pool/coproc-worker-pool.h>
#include <worker/coproc-launcher.h>
#include <worker/coproc-plugin-abi.h>
#include <worker/coproc-plugin.h>
#include <worker/coproc-worker-connect.h>
#include <worker/coproc-worker-resource.h>

#undef COPROC_INSIDE
