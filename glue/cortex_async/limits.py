"""Every number of the glue that has a reason: timeouts in seconds, sizes in bytes, counts."""

SECONDS_A_DAY = 86_400
MIB = 2**20

# What AWS sets ------------------------------------------------------------------------------------------------
SQS_BATCH_ENTRIES = 10  # of one batch call
SQS_BATCH_BYTES = MIB  # of all message bodies of one SendMessageBatch together
SQS_LONG_POLL_SECONDS = 20  # the longest that SQS offers
SQS_VISIBILITY_SECONDS = 43_200  # 12 hours, counted from the receive
SQS_OLD_MESSAGE_BYTES = 262_144  # the default of queues made before SQS took 1 MiB (August 2025)
SQS_RETENTION_DAYS = 14  # the longest that SQS keeps a message; dead letters get it
S3_PUT_BYTES = 5 * 2**30  # of one PutObject
S3_KEY_BYTES = 1024  # of a key, in UTF-8
SQS_DELAY_SECONDS = 900  # the longest that SQS delays a message
S3_PART_BYTES = 5 * MIB  # the smallest part that S3 takes, but for the last
S3_PARTS = 10_000  # of one upload; the maximum of gateway.maxPayloadMiB follows from both

# Calls to AWS -------------------------------------------------------------------------------------------------
AWS_CONNECT_SECONDS = 5.0
S3_READ_SECONDS = 30.0  # without a byte of an answer
SQS_READ_SECONDS = 10.0  # SQS answers in milliseconds, and other batches wait behind a silent connection
RECEIVE_READ_SECONDS = 10.0  # beyond the long poll
RETRY_FIRST_SECONDS = 0.05
RECOVERED_SECONDS = 0.5  # within that time all go on that waited out an outage
OUTAGE_FAILURES = 5  # in a row, of all calls to a service, are an outage
RECEIVE_PAUSE_SECONDS = 1.0  # the longest between two receives that fail
RETRY_LONGEST_SECONDS = 20.0  # as in AWS's standard retry mode
REFUSED_FIRST_SECONDS = 1.0  # a refusal passes only when somebody mends a permission or a name
FIND_QUEUE_LONGEST_SECONDS = 2.0  # provisioning makes the queue within seconds of the first start
GATEWAY_AWS_SECONDS = 10.0  # for S3 and SQS together, before a client is told to come back
CLOCK_SKEW_SECONDS = 60.0  # AWS refuses from 5 min on; less is not the reason for a refusal
CREDENTIALS_PAUSE_SECONDS = 10.0  # between refreshes of valid keys: botocore begins 15 min before they expire
NO_CREDENTIALS_PAUSE_SECONDS = 1.0  # between failures while callers wait: STS must not be flooded
LARGE_BODY_BYTES = 131_072  # a larger one is hashed in a thread and goes in pieces: the loop must not stand still
WRITTEN_AT_ONCE_BYTES = 524_288  # of a large body: in pieces of 128 KiB, an upload takes half as long again
BATCHES_AT_ONCE = 8  # only full batches go beside a call that is under way
DELETE_LINGER_SECONDS = 1.0  # a deletion waits for nine others, so that it costs a tenth; nothing waits for it
PROMPT_SECONDS = 1.0  # a call that takes longer is no longer waited for: it must not hold up the others

# Provisioning -------------------------------------------------------------------------------------------------
PROVISION_WAIT_SECONDS = 75.0  # a queue's name can be used again 60 s after the queue was deleted
PROVISION_PAUSE_SECONDS = 1.0  # between tries: a new emulator answers within seconds

# Uploads ------------------------------------------------------------------------------------------------------
UPLOAD_MEMORY_BYTES = 46 * MIB  # for the parts of all uploads of a process
UPLOAD_WAIT_SECONDS = 50.0  # for memory; load balancers end a connection on which nothing moves for 60 s
RESULT_WAIT_SECONDS = 3.0  # then a result takes more: those before it may be of containers that never end
BACKED_AT_ONCE_BYTES = 262_144  # of a part, as they are needed; S3_PART_BYTES is a whole number of these
SPARE_PARTS = 2  # whose pages are kept while uploads are under way
PARTS_AT_ONCE = 4  # of one upload, while the next comes
MAPPED_PARTS = 3  # that failed calls may hold beside the budget, before garbage is collected
PART_FILL_SECONDS = 45.0  # for a part to come while others wait for memory
ABORT_SECONDS = 5.0  # for aborting an upload; the bucket's lifecycle rule removes what is left
PIECE_BYTES = 65_536  # a body is read, checked and passed on in pieces of this size

# Memory of the gateway ----------------------------------------------------------------------------------------
GATEWAY_MEMORY_BYTES = 128 * MIB  # where no limit can be read
GATEWAY_OWN_BYTES = 64 * MIB  # without any request, and what TLS connections to AWS take
SMALLEST_BUDGET_BYTES = 16 * MIB  # of which half is more than a part of an upload
NO_MEMORY_LIMIT_BYTES = 2**60  # the first version of cgroups tells a number like this for none
HEAD_FACTOR = 2  # a head is held as it came, and as headers
BODY_FACTOR = 4  # a body within a message is held as it came, as text, in the message, and in a batch
READING_BYTES = 131_072  # of a connection on which a body comes: its buffers, asyncio's and aiohttp's
READ_AHEAD_BYTES = 16_384  # of a body; twice that is buffered, and what was read in one go
SENDING_BYTES = 393_216  # of a result that is passed on: the buffers of both connections, ours and the kernel's
POLL_BYTES = 16_384  # of a poll, until the size of the result is known
ANSWER_WAIT_SECONDS = 5.0  # for memory for a result
ANSWER_RETRY_SECONDS = 0.05
DIRECT_BYTES = 524_288  # of a large body, read in one go to where it is wanted; 256 KiB take a tenth longer
RECEIVE_BYTES = 65_536  # read from a connection in one go; asyncio's 256 KiB would be held for each
SEND_BUFFER_BYTES = 131_072  # of the kernel for each client, which counts in the container's memory
CONNECTION_BYTES = 16_384  # of a connection that is idle
HEAD_BYTES = 1_048_576  # SQS carries no more

# Connections of our servers -----------------------------------------------------------------------------------
CONNECTIONS_AT_MOST = 100_000
OWN_DESCRIPTORS = 32  # what a process has open beside connections of clients, at the least
ACCEPTED_AT_ONCE = 16  # so that those over the limit are closed before more are accepted
BACKLOG = 1024  # that the kernel accepts for us

# Clients of the gateway ---------------------------------------------------------------------------------------
STALLED_SECONDS = 60.0  # without a byte of a request, or without taking a byte of an answer
SLOWEST_BYTES_A_SECOND = 1024  # of a body, on average
# Between two requests. Load balancers keep a connection for 60 s (ALB, nginx), 350 s (NLB) or 600 s (Google):
# closing it first would cost the request that is just being sent.
IDLE_SECONDS = 620.0
RETRY_AFTER_SECONDS = 5  # what a 503 asks clients to wait
YOUNG_OBJECTS = 5_000  # that start a garbage collection; Python's 700 are those of a handful of requests

# Scaling and metrics ------------------------------------------------------------------------------------------
SAMPLE_SECONDS = 10.0  # between two looks at the queue's counters
SAMPLE_IDLE_SECONDS = 2.0  # while nothing is in flight: a submit of another gateway must be seen soon
SAMPLE_VALID_SECONDS = 35.0  # three looks may fail; then no number is better than an old one
SAMPLE_CALL_SECONDS = 2.0  # KEDA waits 3 s for an answer
KUBERNETES_SECONDS = 10.0  # for one answer of the Kubernetes API
SHARED_QUEUES_SECONDS = 5.0  # a shared gateway that begins waits that long for the queues of its APIs
KUBERNETES_PAGE = 500  # objects of one answer
KUBERNETES_WATCH_SECONDS = 240  # of one watch, after which the next goes on: a dead connection is noticed by then
KUBERNETES_AGAIN_SECONDS = 0.5  # between two watches, so that one that ends at once does not spin
KUBERNETES_RETRY_LONGEST_SECONDS = 5.0
SAMPLE_UNREAD_SECONDS = 120.0  # then nobody wants samples: Prometheus comes once a minute at the least

# Waiting for a result at the gateway ----------------------------------------------------------------------------
WAIT_MOST_SECONDS = 300  # a client may ask for; its proxies may end the connection before
WAIT_FIRST_SECONDS = 0.1  # between two looks into the bucket (HeadObject); then a tenth of the time so far
WAIT_LONGEST_SECONDS = 5.0  # between two looks
WAIT_LOOKS_A_SECOND = 200  # of all waiters together: a look costs about 0.2 ms of CPU
WAITERS_AT_MOST = 1_000  # of one gateway; beyond, the status is answered at once

RECENT_REQUESTS = 100  # ids that a gateway remembers of each API, for the operator's page

# Presigned URLs of S3 -----------------------------------------------------------------------------------------
UPLOAD_REQUEST_BYTES = 4096  # of the call that begins an upload
PRESIGNED_SECONDS = 900  # that one is valid; not longer than the credentials that it was signed with

# Lists --------------------------------------------------------------------------------------------------------
LIST_LIMIT = 100  # requests in an answer, unless the client asks for fewer or more
LIST_MOST = 1_000
LIST_LOOKS = 2_000  # requests that one call may look at, which costs a HEAD for each that has ended
LIST_LOOKS_AT_ONCE = 25

# Progress -----------------------------------------------------------------------------------------------------
PROGRESS_SECONDS = 2.0  # between two PUTs of a request's progress
PROGRESS_MESSAGE_BYTES = 1_000  # of UTF-8: S3 takes 2 KB of metadata
PROGRESS_BYTES = 16_384  # of a report as JSON
STREAM_COMMENT_SECONDS = 15.0  # without an event: load balancers end a connection on which nothing moves for 60 s
STREAM_MOST_SECONDS = 43_200  # of one stream; a browser comes back by itself

# Admission ----------------------------------------------------------------------------------------------------
API_KEY_CHARACTERS = 16  # a shorter key can be guessed, and is none
SECRETS_RELOAD_SECONDS = 5.0  # between two looks at the files of a Secret, which the kubelet changes
PREFLIGHT_SECONDS = 600  # that a browser may keep what it was told of CORS

# Cancelling ---------------------------------------------------------------------------------------------------
CANCEL_UNSEEN_SECONDS = 1.0  # a younger request begins without a look for a cancellation, which costs a call
CANCEL_LOOK_SECONDS = 0.5  # a look that began within that time does for a request that is received
CANCEL_LOOKS_AT_MOST = 5  # whose answers come too late to be used
CANCEL_SETTLE_SECONDS = 2.5  # until it is confirmed; over LOOK + TURN: whoever did not see it has begun by then
CANCEL_WATCH_SECONDS = 7.0  # between two looks while the container works: with the calls it makes less than 10
CANCEL_HOOK_SECONDS = 5.0  # for the container's answer to pod.cancel_path

IDEMPOTENCY_KEY_CHARACTERS = 255  # of a key that a client may give

# Webhooks -----------------------------------------------------------------------------------------------------
CALLBACK_CHARACTERS = 1_024  # of a URL: it is kept in the result's metadata, of which S3 takes 2 KB
WEBHOOK_RESULT_BYTES = 262_144  # of a result within a webhook; a larger one is fetched
WEBHOOK_SECONDS = 15.0  # for the receiver's answer
WEBHOOKS_AT_ONCE = 50  # that a gateway sends: receivers that hang must not hold up the others
WEBHOOK_POLL_SECONDS = 10  # of a receive, which a gateway that stops lets end
WEBHOOK_STOP_SECONDS = 20.0  # over both: for what is in hand when a gateway stops
WEBHOOK_VISIBILITY_SECONDS = 60  # over what one try takes, with its calls to S3 and SQS
WEBHOOK_PATIENCE_SECONDS = 86_400  # for which a webhook is tried: about as Standard Webhooks recommends
WEBHOOK_RETRIES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000)  # after each try that fails; then the last again
WEBHOOK_RETRY_AFTER_MOST_SECONDS = 3_600  # of a receiver's Retry-After that is honoured
WEBHOOK_AGAIN_SECONDS = 30  # when S3 or memory is missing, which is no fault of the receiver
WEBHOOK_ASIDE_SECONDS = 39_600  # for a message that is none of ours
WEBHOOK_RETENTION_SECONDS = 2 * SECONDS_A_DAY  # of the queue: over the day for which one is tried
WEBHOOK_SECRET_BYTES = 24  # the shortest key that Standard Webhooks allows
WEBHOOKS_REMEMBERED = 10_000  # that wait for their next try, for the age of the oldest
EVENT_SEND_SECONDS = 2.0  # for putting an event on its queue, while the request's message is held
EVENT_PAUSE_SECONDS = 5.0  # after a failure none is tried: results must not wait behind webhooks
EVENT_LATER_SECONDS = 10  # times the receives so far: until a message comes back whose event was not taken
EVENT_LATER_MOST_SECONDS = 900

# Request ids --------------------------------------------------------------------------------------------------
ID_FUTURE_SECONDS = 300.0  # an id may be ahead of this machine's clock by that much

# The dispatcher and its container -----------------------------------------------------------------------------
RECEIVES_AT_ONCE = 4  # more bring nothing: ten messages each fill 40 slots in one round trip
AHEAD_SECONDS = 1.0  # a request is received ahead if it is likely to begin within that time
AHEAD_POLL_SECONDS = 1  # of a receive ahead: while it waits, another pod may get free
TURN_SECONDS = 1.5  # a request that was received ahead goes back when it has not begun by then
RECEIVE_GUESS_SECONDS = 0.02  # until a first receive has been measured
RECEIVE_LONGEST_SECONDS = 0.5  # one that takes longer has waited for its messages: that is not what a call takes
NEXT_FIRST_SECONDS = 0.003  # before a result is stored: what follows it into the container is sent first
STORING_AT_MOST = 64  # answered requests whose results are not stored yet; beyond, receiving stops
SUSPECTS_AT_MOST = 100  # wait for the container one at a time; beyond, receiving stops
MARK_AFTER_SECONDS = 5.0  # a request that ends sooner needs no in_progress object: a PUT would double its price
REFUSED_HOLD_SECONDS = 30.0  # a container that restarts comes back without costing an attempt
VISIBILITY_MARGIN_SECONDS = 60  # before the 12 hours that SQS keeps a message hidden at the most
CONTAINER_CONNECT_SECONDS = 5.0
# A server that closes idle connections (some after 2 s) must not do so just as the next request is sent.
CONTAINER_KEEPALIVE_SECONDS = 1.0
CONTAINER_HEADER_BYTES = MIB  # aiohttp's 8190 would refuse a good response
CONTAINER_HEADERS = 10_000  # for the same reason; aiohttp's are 128
BODY_EXCERPT_BYTES = 4096  # of an error response, in a failed result
RETRY_AFTER_MOST_SECONDS = 900  # of a Retry-After that is honoured
RETRY_DELAY_MOST_SECONDS = 60  # of the dispatcher's own: 1, 2, 4, …
FIRST_PROBE_SECONDS = 0.1  # between probes while a container starts; doubled up to the probe's period

# Shutdown -----------------------------------------------------------------------------------------------------
EXIT_SECONDS = 1.0  # of the grace period: for closing connections and ending the process
SPANS_LAST_SECONDS = 0.5  # of those: for sending the last spans
RELEASE_SECONDS = 4.0  # of the grace period: for giving back what could not be finished
CANCEL_SECONDS = 1.0  # of those: for cancelled work to end, which may be aborting an upload
DRAIN_BEGINS_SECONDS = 2.0  # /drain waits that long for the pod's shutdown to begin

# Waiting for a result, by `smoke` and local mode ----------------------------------------------------------------
POLL_FIRST_SECONDS = 0.02  # most examples answer within milliseconds
POLL_LONGEST_SECONDS = 0.5  # pauses grow up to it, so that a long request costs two calls a second
SMOKE_CALL_SECONDS = 30.0  # for one call; one that is lost is made again until --timeout


def receive_limit(max_attempts: int) -> int:
    """How often a message may be received before it is given up, however few attempts began.

    Receives outnumber attempts: some never arrive (a lost answer, a dispatcher killed while its receive was open),
    some are given back on shutdown, and each neighbour that takes the pod down with it costs one.
    """
    return 2 * max_attempts + 50
