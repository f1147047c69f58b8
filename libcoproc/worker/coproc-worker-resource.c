/* SPDX-License-Identifier: LGPL-2.1-or-later
 * SPDX-FileCopyrightText: 2026 The libcoproc authors
 *
 * The object: its properties, its signals and its end. What it does is in coproc-worker-control.c.
 */
#include "worker/coproc-worker-resource-private.h"

#include "messenger/coproc-priority-messenger.h"

#define DEFAULT_GRACE_US (2 * G_USEC_PER_SEC)
#define DEFAULT_START_TIMEOUT_US (10 * G_USEC_PER_SEC)

/**
 * CoprocWorkerResource:
 *
 * A worker as its host holds it: plugin code in a process of its own, and the messenger to it.
 *
 * A worker is made from the name (or the absolute path) of a plugin and the name of one of its
 * entry points, started with [method@Coproc.WorkerResource.start], talked to through
 * [method@Coproc.WorkerResource.get_messenger], and ended with
 * [method@Coproc.WorkerResource.join], [method@Coproc.WorkerResource.stop] or
 * [method@Coproc.WorkerResource.terminate]. Dropping the last reference ends it too, in the
 * background.
 *
 * ```
 * NEW ──▶ STARTING ──▶ RUNNING ──▶ STOPPING ──▶ EXITED
 *            │            └────────────────────▶ EXITED
 *            └──▶ FAILED          EXITED, FAILED ──▶ STARTING
 * ```
 *
 * When the worker's process ends without having said goodbye, everything that waits for it fails
 * with %COPROC_ERROR_WORKER_DIED, whose message names the process, the signal or exit code, and the
 * end of what it printed; what had arrived before can still be received.
 *
 * Every method may be called from any thread. Signals and property notifications are emitted in the
 * thread-default [struct@GLib.MainContext] of the thread that made the object.
 *
 * ```c
 * g_autoptr (CoprocWorkerResource) worker = coproc_worker_resource_new ("echo", "echo");
 * g_autoptr (GVariant) reply = NULL;
 *
 * if (!coproc_worker_resource_start (worker, NULL, NULL, &error))
 *   return FALSE;
 * reply = coproc_messenger_call (coproc_worker_resource_get_messenger (worker),
 *                                g_variant_new_string ("hello"), NULL, -1, NULL, &error);
 * ```
 *
 * ```python
 * worker = Coproc.WorkerResource.new('echo', 'echo')
 * worker.start(None, None)
 * reply = worker.get_messenger().call(GLib.Variant('s', 'hello'), None, -1, None)
 * worker.stop(2_000_000)
 * ```
 *
 * Since: 1.0
 */
G_DEFINE_FINAL_TYPE (CoprocWorkerResource, coproc_worker_resource, G_TYPE_OBJECT)

typedef enum
{
  PROP_PLUGIN = 1,
  PROP_ENTRY_POINT,
  PROP_MODE,
  PROP_MESSENGER_TYPE,
  PROP_STATE,
  PROP_GRACE_PERIOD,
  PROP_START_TIMEOUT,
  PROP_TRANSPORT,
  PROP_ENVIRONMENT,
  PROP_WORKING_DIRECTORY,
  PROP_STDERR_MODE,
} WorkerProperty;

static GParamSpec *props[PROP_STDERR_MODE + 1];

CoprocWorkerRun *
coproc_worker_resource_dup_run (CoprocWorkerResource *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  return self->run != NULL ? coproc_worker_run_ref (self->run) : NULL;
}

static CoprocWorkerState
get_state (CoprocWorkerResource *self)
{
  CoprocWorkerRun *run = coproc_worker_resource_dup_run (self);
  CoprocWorkerState state = COPROC_WORKER_STATE_NEW;

  if (run != NULL)
    {
      state = coproc_worker_run_get_state (run);
      coproc_worker_run_unref (run);
    }

  return state;
}

/* --- GObject --- */

static void
coproc_worker_resource_get_property (GObject *object,
                                     guint prop_id,
                                     GValue *value,
                                     GParamSpec *pspec)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);
  CoprocWorkerState state = get_state (self);
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
    case PROP_GRACE_PERIOD:
      g_value_set_int64 (value, self->grace_us);
      break;
    case PROP_START_TIMEOUT:
      g_value_set_int64 (value, self->start_timeout_us);
      break;
    case PROP_TRANSPORT:
      g_value_set_enum (value, self->transport);
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
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

/* Whether *@field was another value. */
#define TAKE_IF_DIFFERENT(field, new_value)                                                        \
  ((field) != (new_value) ? ((field) = (new_value), TRUE) : FALSE)

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
      changed = TAKE_IF_DIFFERENT (self->mode, (CoprocWorkerMode) g_value_get_enum (value));
      break;
    case PROP_MESSENGER_TYPE:
      changed = TAKE_IF_DIFFERENT (self->messenger_type, g_value_get_gtype (value));
      break;
    case PROP_GRACE_PERIOD:
      changed = TAKE_IF_DIFFERENT (self->grace_us, g_value_get_int64 (value));
      break;
    case PROP_START_TIMEOUT:
      changed = TAKE_IF_DIFFERENT (self->start_timeout_us, g_value_get_int64 (value));
      break;
    case PROP_TRANSPORT:
      changed = TAKE_IF_DIFFERENT (self->transport, (CoprocTransport) g_value_get_enum (value));
      break;
    case PROP_ENVIRONMENT:
      changed = take_environment (self, g_value_get_boxed (value));
      break;
    case PROP_WORKING_DIRECTORY:
      changed = take_working_directory (self, g_value_get_string (value));
      break;
    case PROP_STDERR_MODE:
      changed = TAKE_IF_DIFFERENT (self->stderr_mode, (CoprocStderrMode) g_value_get_enum (value));
      break;
    case PROP_STATE:
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
  g_mutex_unlock (&self->lock);

  if (changed)
    g_object_notify_by_pspec (object, pspec);
}

static void
coproc_worker_resource_dispose (GObject *object)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);
  CoprocWorkerRun *run;

  coproc_worker_observer_mute (self->observer);

  g_mutex_lock (&self->lock);
  run = g_steal_pointer (&self->run);
  g_mutex_unlock (&self->lock);
  if (run != NULL)
    coproc_worker_run_release (run);

  G_OBJECT_CLASS (coproc_worker_resource_parent_class)->dispose (object);
}

static void
coproc_worker_resource_finalize (GObject *object)
{
  CoprocWorkerResource *self = COPROC_WORKER_RESOURCE (object);

  coproc_worker_observer_unref (self->observer);
  g_free (self->plugin);
  g_free (self->entry_point);
  g_strfreev (self->environment);
  g_free (self->working_directory);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (coproc_worker_resource_parent_class)->finalize (object);
}

static void
install_properties (GObjectClass *object_class)
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
   * Where the worker runs. This version runs workers in processes; a start in another mode fails.
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
   * CoprocWorkerResource:grace-period:
   *
   * How long, in microseconds, a worker that should end has before it gets a SIGTERM, and again
   * before it gets a SIGKILL; -1 for ever. Taken up by the next start.
   *
   * Since: 1.0
   */
  props[PROP_GRACE_PERIOD] = g_param_spec_int64 ("grace-period", NULL, NULL, -1, G_MAXINT64,
                                                 DEFAULT_GRACE_US, settable);
  /**
   * CoprocWorkerResource:start-timeout:
   *
   * How long, in microseconds, a start waits for the worker's greeting; -1 for ever.
   *
   * Since: 1.0
   */
  props[PROP_START_TIMEOUT] = g_param_spec_int64 ("start-timeout", NULL, NULL, -1, G_MAXINT64,
                                                  DEFAULT_START_TIMEOUT_US, settable);
  /**
   * CoprocWorkerResource:transport:
   *
   * What carries the messages. This version has pipes; a start that asks for shared memory fails.
   *
   * Since: 1.0
   */
  props[PROP_TRANSPORT] = g_param_spec_enum ("transport", NULL, NULL, COPROC_TYPE_TRANSPORT,
                                             COPROC_TRANSPORT_AUTO, settable);
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

  g_object_class_install_properties (object_class, G_N_ELEMENTS (props), props);
}

static void
coproc_worker_resource_class_init (CoprocWorkerResourceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = coproc_worker_resource_get_property;
  object_class->set_property = coproc_worker_resource_set_property;
  object_class->dispose = coproc_worker_resource_dispose;
  object_class->finalize = coproc_worker_resource_finalize;

  install_properties (object_class);

  /**
   * CoprocWorkerResource::exited:
   * @self: the worker
   * @status: the exit code, -1 when a signal ended the process or nobody knows
   * @signum: the signal that ended the process, 0 if none did
   *
   * The worker's process has ended.
   *
   * What it had sent can still be received. The worker may be started again in a handler.
   *
   * Since: 1.0
   */
  g_signal_new ("exited", COPROC_TYPE_WORKER_RESOURCE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
  /**
   * CoprocWorkerResource::stderr-line:
   * @self: the worker
   * @line: the line, valid UTF-8, without its newline
   *
   * The worker has printed a line, and [property@Coproc.WorkerResource:stderr-mode] is
   * %COPROC_STDERR_MODE_CAPTURE.
   *
   * A line longer than 8 KiB comes in pieces. Where the context is not iterated only the last 1024
   * lines are kept.
   *
   * Since: 1.0
   */
  g_signal_new ("stderr-line", COPROC_TYPE_WORKER_RESOURCE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
coproc_worker_resource_init (CoprocWorkerResource *self)
{
  g_mutex_init (&self->lock);
  self->observer = coproc_worker_observer_new (G_OBJECT (self));
  self->mode = COPROC_WORKER_MODE_PROCESS;
  self->messenger_type = COPROC_TYPE_PRIORITY_MESSENGER;
  self->grace_us = DEFAULT_GRACE_US;
  self->start_timeout_us = DEFAULT_START_TIMEOUT_US;
  self->transport = COPROC_TRANSPORT_AUTO;
  self->stderr_mode = COPROC_STDERR_MODE_INHERIT;
}

/* --- what can be asked --- */

/**
 * coproc_worker_resource_get_messenger:
 * @self: a worker
 *
 * Gets this side's end of the connection to the worker.
 *
 * Each start makes a new one. It stays when the worker has ended, so that what had arrived can be
 * received.
 *
 * Threads: any.
 *
 * Returns: (transfer none) (nullable): the messenger, %NULL if the worker never ran or its last
 *   start failed
 *
 * Since: 1.0
 */
CoprocMessenger *
coproc_worker_resource_get_messenger (CoprocWorkerResource *self)
{
  CoprocMessenger *messenger = NULL;
  CoprocWorkerRun *run;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), NULL);

  run = coproc_worker_resource_dup_run (self);
  if (run != NULL)
    {
      messenger = coproc_worker_run_get_messenger (run);
      coproc_worker_run_unref (run);
    }

  return messenger;
}

/**
 * coproc_worker_resource_is_alive:
 * @self: a worker
 *
 * Whether the worker is starting, running or stopping.
 *
 * Threads: any.
 *
 * Returns: %TRUE if it is
 *
 * Since: 1.0
 */
gboolean
coproc_worker_resource_is_alive (CoprocWorkerResource *self)
{
  CoprocWorkerState state;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), FALSE);

  state = get_state (self);

  return state == COPROC_WORKER_STATE_STARTING || state == COPROC_WORKER_STATE_RUNNING
         || state == COPROC_WORKER_STATE_STOPPING;
}

/**
 * coproc_worker_resource_get_pid:
 * @self: a worker
 *
 * Gets the number of the worker's process.
 *
 * Threads: any.
 *
 * Returns: the process id, 0 while there is no process
 *
 * Since: 1.0
 */
GPid
coproc_worker_resource_get_pid (CoprocWorkerResource *self)
{
  CoprocWorkerRun *run;
  GPid pid = 0;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), 0);

  run = coproc_worker_resource_dup_run (self);
  if (run != NULL)
    {
      pid = coproc_worker_run_get_pid (run);
      coproc_worker_run_unref (run);
    }

  return pid;
}

static CoprocExit
get_exit (CoprocWorkerResource *self)
{
  CoprocExit status = { COPROC_EXIT_NOT_YET, 0 };
  CoprocWorkerRun *run = coproc_worker_resource_dup_run (self);

  if (run != NULL)
    {
      status = coproc_worker_run_get_exit (run);
      coproc_worker_run_unref (run);
    }

  return status;
}

/**
 * coproc_worker_resource_get_exit_status:
 * @self: a worker
 *
 * Gets the exit code of the worker's process.
 *
 * Threads: any.
 *
 * Returns: the exit code; -1 while there is none, when a signal ended the process, or when
 *   somebody else took its status
 *
 * Since: 1.0
 */
int
coproc_worker_resource_get_exit_status (CoprocWorkerResource *self)
{
  CoprocExit status;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), -1);

  status = get_exit (self);

  return status.kind == COPROC_EXIT_CODE ? status.value : -1;
}

/**
 * coproc_worker_resource_get_term_signal:
 * @self: a worker
 *
 * Gets the signal that ended the worker's process.
 *
 * Threads: any.
 *
 * Returns: the signal; 0 if none did
 *
 * Since: 1.0
 */
int
coproc_worker_resource_get_term_signal (CoprocWorkerResource *self)
{
  CoprocExit status;

  g_return_val_if_fail (COPROC_IS_WORKER_RESOURCE (self), 0);

  status = get_exit (self);

  return status.kind == COPROC_EXIT_SIGNAL ? status.value : 0;
}
