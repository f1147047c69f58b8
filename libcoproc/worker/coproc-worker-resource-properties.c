/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The properties of a worker.
 */
#include "worker/coproc-worker-resource-private.h"

#include "coproc-properties-private.h"
#include "wire/coproc-limits-private.h"
#include "worker/coproc-rlimits-private.h"

typedef enum
{
  PROP_PLUGIN = 1,
  PROP_ENTRY_POINT,
  PROP_MODE,
  PROP_MESSENGER_TYPE,
  PROP_STATE,
  PROP_RESTART_POLICY,
  PROP_MAX_RESTARTS,
  PROP_RESTART_WINDOW,
  PROP_GRACE_PERIOD,
  PROP_START_TIMEOUT,
  PROP_TRANSPORT,
  PROP_COPIED_PAYLOADS,
  PROP_MAX_MESSAGE_SIZE,
  PROP_ENVIRONMENT,
  PROP_WORKING_DIRECTORY,
  PROP_STDERR_MODE,
  PROP_INHERIT_STDOUT,
  PROP_LAUNCHER,
  PROP_HEARTBEAT_TIMEOUT,
  PROP_PING_TIMEOUT,
  PROP_HANG_TIMEOUT,
  PROP_RLIMITS,
} WorkerProperty;

static GParamSpec *props[PROP_RLIMITS + 1];

/* Those of restarts are the supervisor's. */
static void
get_rule (CoprocWorkerResource *self, WorkerProperty prop_id, GValue *value)
{
  CoprocRestartRules rules;

  coproc_worker_supervisor_get_rules (self->supervisor, &rules);
  if (prop_id == PROP_RESTART_POLICY)
    g_value_set_enum (value, rules.policy);
  else if (prop_id == PROP_MAX_RESTARTS)
    g_value_set_uint (value, rules.max_restarts);
  else
    g_value_set_int64 (value, rules.window_us);
}

static void
coproc_worker_resource_get_property (GObject *object,
                                     guint prop_id,
                                     GValue *value,
                                     GParamSpec *pspec)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);
  CoprocWorkerState state = coproc_worker_supervisor_get_state (self->supervisor);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  switch ((WorkerProperty) prop_id)
    {
    case PROP_PLUGIN:
      g_value_set_string (value, self->plugin);
      break;
    case PROP_ENTRY_POINT:
      g_value_set_string (value, self->entry_point);
      break;
    case PROP_MODE:
      g_value_set_enum (value, self->mode);
      break;
    case PROP_MESSENGER_TYPE:
      g_value_set_gtype (value, self->messenger_type);
      break;
    case PROP_STATE:
      g_value_set_enum (value, state);
      break;
    case PROP_RESTART_POLICY:
    case PROP_MAX_RESTARTS:
    case PROP_RESTART_WINDOW:
      get_rule (self, (WorkerProperty) prop_id, value);
      break;
    case PROP_GRACE_PERIOD:
      g_value_set_int64 (value, self->grace_us);
      break;
    case PROP_START_TIMEOUT:
      g_value_set_int64 (value, self->start_timeout_us);
      break;
    case PROP_TRANSPORT:
      g_value_set_enum (value, self->transport);
      break;
    case PROP_COPIED_PAYLOADS:
      g_value_set_boolean (value, self->copied_payloads);
      break;
    case PROP_MAX_MESSAGE_SIZE:
      g_value_set_uint64 (value, self->max_message_size);
      break;
    case PROP_ENVIRONMENT:
      g_value_set_boxed (value, self->environment);
      break;
    case PROP_WORKING_DIRECTORY:
      g_value_set_string (value, self->working_directory);
      break;
    case PROP_STDERR_MODE:
      g_value_set_enum (value, (int) self->stderr_mode);
      break;
    case PROP_INHERIT_STDOUT:
      g_value_set_boolean (value, self->inherit_stdout);
      break;
    case PROP_LAUNCHER:
      g_value_set_boxed (value, self->launcher);
      break;
    case PROP_HEARTBEAT_TIMEOUT:
      g_value_set_int64 (value, self->heartbeat_us);
      break;
    case PROP_PING_TIMEOUT:
      g_value_set_int64 (value, self->ping_us);
      break;
    case PROP_HANG_TIMEOUT:
      g_value_set_int64 (value, self->hang_us);
      break;
    case PROP_RLIMITS:
      g_value_set_variant (value, self->rlimits);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static gboolean
take_rule_locked (CoprocWorkerResource *self, WorkerProperty prop_id, const GValue *value)
{
  CoprocRestartRules rules;
  gboolean changed;

  coproc_worker_supervisor_get_rules (self->supervisor, &rules);
  if (prop_id == PROP_RESTART_POLICY)
    changed = COPROC_TAKE_IF_DIFFERENT (rules.policy, (CoprocRestartPolicy) g_value_get_enum (value));
  else if (prop_id == PROP_MAX_RESTARTS)
    changed = COPROC_TAKE_IF_DIFFERENT (rules.max_restarts, g_value_get_uint (value));
  else
    changed = COPROC_TAKE_IF_DIFFERENT (rules.window_us, g_value_get_int64 (value));
  coproc_worker_supervisor_set_rules (self->supervisor, &rules);
  return changed;
}

static gboolean
take_environment (CoprocWorkerResource *self, const char *const *environment)
{
  if (self->environment == NULL && environment == NULL)
    return FALSE;
  if (self->environment != NULL && environment != NULL
      && g_strv_equal ((const char *const *) self->environment, environment))
    return FALSE;

  g_strfreev (self->environment);
  self->environment = g_strdupv ((char **) environment);
  return TRUE;
}

static gboolean
take_working_directory (CoprocWorkerResource *self, const char *directory)
{
  if (g_strcmp0 (self->working_directory, directory) == 0)
    return FALSE;

  g_free (self->working_directory);
  self->working_directory = g_strdup (directory);
  return TRUE;
}

static gboolean
take_launcher (CoprocWorkerResource *self, const GValue *value)
{
  if (self->launcher == g_value_get_boxed (value))
    return FALSE;

  g_clear_pointer (&self->launcher, coproc_launcher_unref);
  self->launcher = g_value_dup_boxed (value);
  return TRUE;
}

static gboolean
take_rlimits (CoprocWorkerResource *self, GVariant *rlimits)
{
  if (self->rlimits == rlimits
      || (self->rlimits != NULL && rlimits != NULL && g_variant_equal (self->rlimits, rlimits)))
    return FALSE;

  g_clear_pointer (&self->rlimits, g_variant_unref);
  self->rlimits = rlimits != NULL ? g_variant_ref_sink (rlimits) : NULL;
  return TRUE;
}

static void
coproc_worker_resource_set_property (GObject *object,
                                     guint prop_id,
                                     const GValue *value,
                                     GParamSpec *pspec)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);
  gboolean changed = FALSE;

  g_mutex_lock (&self->lock);
  switch ((WorkerProperty) prop_id)
    {
    case PROP_PLUGIN:
      self->plugin = g_value_dup_string (value);
      break;
    case PROP_ENTRY_POINT:
      self->entry_point = g_value_dup_string (value);
      break;
    case PROP_MODE:
      changed = COPROC_TAKE_IF_DIFFERENT (self->mode, (CoprocWorkerMode) g_value_get_enum (value));
      break;
    case PROP_MESSENGER_TYPE:
      changed = COPROC_TAKE_IF_DIFFERENT (self->messenger_type, g_value_get_gtype (value));
      break;
    case PROP_RESTART_POLICY:
    case PROP_MAX_RESTARTS:
    case PROP_RESTART_WINDOW:
      changed = take_rule_locked (self, (WorkerProperty) prop_id, value);
      break;
    case PROP_GRACE_PERIOD:
      changed = COPROC_TAKE_IF_DIFFERENT (self->grace_us, g_value_get_int64 (value));
      break;
    case PROP_START_TIMEOUT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->start_timeout_us, g_value_get_int64 (value));
      break;
    case PROP_TRANSPORT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->transport, (CoprocTransport) g_value_get_enum (value));
      break;
    case PROP_COPIED_PAYLOADS:
      changed = COPROC_TAKE_IF_DIFFERENT (self->copied_payloads, g_value_get_boolean (value));
      break;
    case PROP_MAX_MESSAGE_SIZE:
      changed = COPROC_TAKE_IF_DIFFERENT (self->max_message_size, g_value_get_uint64 (value));
      break;
    case PROP_ENVIRONMENT:
      changed = take_environment (self, g_value_get_boxed (value));
      break;
    case PROP_WORKING_DIRECTORY:
      changed = take_working_directory (self, g_value_get_string (value));
      break;
    case PROP_STDERR_MODE:
      changed = COPROC_TAKE_IF_DIFFERENT (self->stderr_mode, (CoprocStderrMode) g_value_get_enum (value));
      break;
    case PROP_INHERIT_STDOUT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->inherit_stdout, g_value_get_boolean (value));
      break;
    case PROP_LAUNCHER:
      changed = take_launcher (self, value);
      break;
    case PROP_HEARTBEAT_TIMEOUT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->heartbeat_us, g_value_get_int64 (value));
      break;
    case PROP_PING_TIMEOUT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->ping_us, g_value_get_int64 (value));
      break;
    case PROP_HANG_TIMEOUT:
      changed = COPROC_TAKE_IF_DIFFERENT (self->hang_us, g_value_get_int64 (value));
      break;
    case PROP_RLIMITS:
      changed = take_rlimits (self, g_value_get_variant (value));
      break;
    case PROP_STATE:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
  g_mutex_unlock (&self->lock);

  if (changed)
    g_object_notify_by_pspec (object, pspec);
}

void
coproc_worker_resource_install_properties (GObjectClass *object_class)
{
  const GParamFlags fixed = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;
  const GParamFlags settable = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  /**
   * CoprocWorkerResource:plugin:
   *
   * The plugin's name on the search path, or the absolute path of its file.
   *
   * Since: 1.0
   */
  props[PROP_PLUGIN] = g_param_spec_string ("plugin", NULL, NULL, NULL, fixed);
  /**
   * CoprocWorkerResource:entry-point:
   *
   * The name of the plugin's entry point that the worker runs.
   *
   * Since: 1.0
   */
  props[PROP_ENTRY_POINT] = g_param_spec_string ("entry-point", NULL, NULL, NULL, fixed);
  /**
   * CoprocWorkerResource:mode:
   *
   * Where the next start runs the worker: in a process of its own, or in a thread of this one, where a
   * plugin that is loaded stays loaded. A thread shares the host's environment, working directory and
   * standard error.
   *
   * Since: 1.0
   */
  props[PROP_MODE] = g_param_spec_enum ("mode", NULL, NULL, COPROC_TYPE_WORKER_MODE,
                                        COPROC_WORKER_MODE_PROCESS, settable);
  /**
   * CoprocWorkerResource:messenger-type:
   *
   * The type of the messenger that the next start makes: [class@Coproc.Messenger] or a subclass.
   *
   * Since: 1.0
   */
  props[PROP_MESSENGER_TYPE] = g_param_spec_gtype ("messenger-type", NULL, NULL,
                                                   COPROC_TYPE_MESSENGER, settable);
  /**
   * CoprocWorkerResource:state:
   *
   * Where the worker is in its life.
   *
   * Since: 1.0
   */
  props[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, COPROC_TYPE_WORKER_STATE,
                                         COPROC_WORKER_STATE_NEW,
                                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * CoprocWorkerResource:restart-policy:
   *
   * Which ends of the worker are followed by a restart. An end that was asked for, by a join, a stop or
   * terminate, never is. It counts from the next end on.
   *
   * Since: 1.0
   */
  props[PROP_RESTART_POLICY]
      = g_param_spec_enum ("restart-policy", NULL, NULL, COPROC_TYPE_RESTART_POLICY,
                           COPROC_RESTART_POLICY_NEVER, settable);
  /**
   * CoprocWorkerResource:max-restarts:
   *
   * How many restarts there may be within [property@Coproc.WorkerResource:restart-window]; a worker that
   * needs another one is given up. Tries that fail count.
   *
   * Since: 1.0
   */
  props[PROP_MAX_RESTARTS] = g_param_spec_uint ("max-restarts", NULL, NULL, 0, G_MAXUINT,
                                                COPROC_DEFAULT_MAX_RESTARTS, settable);
  /**
   * CoprocWorkerResource:restart-window:
   *
   * The time, in microseconds, for which a restart counts; -1 for ever.
   *
   * Since: 1.0
   */
  props[PROP_RESTART_WINDOW] = g_param_spec_int64 ("restart-window", NULL, NULL, -1, G_MAXINT64,
                                                   COPROC_DEFAULT_RESTART_WINDOW_US, settable);
  /**
   * CoprocWorkerResource:grace-period:
   *
   * How long, in microseconds, a worker that should end has before it gets a SIGTERM, and again
   * before it gets a SIGKILL; -1 for ever. Taken up by the next start.
   *
   * Since: 1.0
   */
  props[PROP_GRACE_PERIOD] = g_param_spec_int64 ("grace-period", NULL, NULL, -1, G_MAXINT64,
                                                 COPROC_DEFAULT_GRACE_US, settable);
  /**
   * CoprocWorkerResource:start-timeout:
   *
   * How long, in microseconds, a start waits for the worker's greeting; -1 for ever.
   *
   * Since: 1.0
   */
  props[PROP_START_TIMEOUT] = g_param_spec_int64 ("start-timeout", NULL, NULL, -1, G_MAXINT64,
                                                  COPROC_DEFAULT_START_TIMEOUT_US, settable);
  /**
   * CoprocWorkerResource:transport:
   *
   * What carries the messages of a worker that is a process.
   *
   * %COPROC_TRANSPORT_AUTO is shared memory where there is some and the worker takes it up, and pipes
   * otherwise. A start that asks for %COPROC_TRANSPORT_SHARED_MEMORY fails with %COPROC_ERROR_SPAWN instead, and
   * so with a launcher that passes no descriptors.
   *
   * Since: 1.0
   */
  props[PROP_TRANSPORT] = g_param_spec_enum ("transport", NULL, NULL, COPROC_TYPE_TRANSPORT,
                                             COPROC_TRANSPORT_AUTO, settable);
  /**
   * CoprocWorkerResource:copied-payloads:
   *
   * Whether what the worker sends is copied out of the memory that it shares with the host.
   *
   * Large payloads of type `ay` are not, unless this is set: the worker could change them while they are being read.
   * Set it for a worker that is not trusted, if that could do harm.
   *
   * Since: 1.0
   */
  props[PROP_COPIED_PAYLOADS] = g_param_spec_boolean ("copied-payloads", NULL, NULL, FALSE, settable);
  /**
   * CoprocWorkerResource:max-message-size:
   *
   * The most bytes of a raw (`ay`) payload that the host, and with it the worker, accepts from the first message on:
   * what [property@Coproc.Messenger:max-message-size] is at the start.
   *
   * Since: 1.0
   */
  props[PROP_MAX_MESSAGE_SIZE] = g_param_spec_uint64 ("max-message-size", NULL, NULL, 1, COPROC_MAX_PAYLOAD_SIZE,
                                                      COPROC_DEFAULT_MAX_MESSAGE_SIZE, settable);
  /**
   * CoprocWorkerResource:environment:
   *
   * The environment of the worker, as strings of the form `NAME=value`; %NULL for the host's. What
   * the search for plugins needs is added to it.
   *
   * Since: 1.0
   */
  props[PROP_ENVIRONMENT] = g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, settable);
  /**
   * CoprocWorkerResource:working-directory:
   *
   * The directory that the worker runs in; %NULL for the host's.
   *
   * Since: 1.0
   */
  props[PROP_WORKING_DIRECTORY]
      = g_param_spec_string ("working-directory", NULL, NULL, NULL, settable);
  /**
   * CoprocWorkerResource:stderr-mode:
   *
   * What becomes of what the worker prints.
   *
   * Since: 1.0
   */
  props[PROP_STDERR_MODE] = g_param_spec_enum ("stderr-mode", NULL, NULL, COPROC_TYPE_STDERR_MODE,
                                               COPROC_STDERR_MODE_INHERIT, settable);
  /**
   * CoprocWorkerResource:inherit-stdout:
   *
   * Whether the standard output of a process that the next start makes is the host's. If not, it goes
   * where its standard error goes.
   *
   * Since: 1.0
   */
  props[PROP_INHERIT_STDOUT] = g_param_spec_boolean ("inherit-stdout", NULL, NULL, FALSE, settable);
  /**
   * CoprocWorkerResource:launcher:
   *
   * The program that the next start starts the worker's process with; %NULL: the worker is started directly.
   *
   * The process that is watched, signalled and reaped is then the launcher's.
   *
   * Since: 1.0
   */
  props[PROP_LAUNCHER] = g_param_spec_boxed ("launcher", NULL, NULL, COPROC_TYPE_LAUNCHER, settable);
  /**
   * CoprocWorkerResource:heartbeat-timeout:
   *
   * How long, in microseconds, the other side may be silent where a launcher does not pass descriptors; -1 for
   * ever. A worker that is silent for longer is killed, one whose host is ends itself, whatever its code does.
   * The library speaks for a side that has nothing to say. Taken up by the next start.
   *
   * Since: 1.0
   */
  props[PROP_HEARTBEAT_TIMEOUT]
      = g_param_spec_int64 ("heartbeat-timeout", NULL, NULL, -1, G_MAXINT64 / 2,
                            COPROC_DEFAULT_HEARTBEAT_US, settable);
  /**
   * CoprocWorkerResource:ping-timeout:
   *
   * How long, in microseconds, a worker process may say nothing, not even the answer to a ping; -1 for ever. One that
   * is silent for longer is killed: it was stopped, or does not get to run. The library answers for a
   * worker whose code is busy, so that this says nothing about that code. Where a launcher does not pass descriptors,
   * [property@Coproc.WorkerResource:heartbeat-timeout] counts instead. Taken up by the next start.
   *
   * Time for which this process itself was stopped does not count.
   *
   * Since: 1.0
   */
  props[PROP_PING_TIMEOUT] = g_param_spec_int64 ("ping-timeout", NULL, NULL, -1, G_MAXINT64 / 2, -1, settable);
  /**
   * CoprocWorkerResource:hang-timeout:
   *
   * How long, in microseconds, a worker process may keep a request without sending any message; -1 for ever. One that
   * does so for longer is killed: its code is stuck. A task that may take longer sends a message from time to
   * time; a single call that may not has a timeout of its own, which ends only the call. Taken up by the next start.
   *
   * Time for which this process itself was stopped, or did not read because its queues were full, does not count.
   * A thread cannot be killed and is not watched.
   *
   * Since: 1.0
   */
  props[PROP_HANG_TIMEOUT] = g_param_spec_int64 ("hang-timeout", NULL, NULL, -1, G_MAXINT64 / 2, -1, settable);
  /**
   * CoprocWorkerResource:rlimits:
   *
   * What the worker's process may use of the system, of type `a{st}`: `as`, bytes of its address space; `core`, bytes
   * of a core file; `cpu`, seconds of CPU time; `nofile`, one more than the largest number of an open descriptor.
   * They are set before the plugin is loaded, or when a command takes up its connection; %NULL for
   * the host's. They are for workers that go astray, not for hostile ones: this is no sandbox.
   *
   * A start fails with %COPROC_ERROR_FAILED for another key, with %COPROC_ERROR_LIMIT for a value that the system
   * does not allow.
   *
   * ```python
   * worker.set_property('rlimits', GLib.Variant('a{st}', {'as': 1 << 30, 'cpu': 60}))
   * ```
   *
   * Since: 1.0
   */
  props[PROP_RLIMITS] = g_param_spec_variant ("rlimits", NULL, NULL, COPROC_RLIMITS_TYPE, NULL, settable);

  object_class->get_property = coproc_worker_resource_get_property;
  object_class->set_property = coproc_worker_resource_set_property;
  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}
