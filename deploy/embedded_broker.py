"""amqtt 0.12.1 as a broker that a fleet can rely on: what its own code leaves open is closed here.

Each override below answers something that amqtt 0.12.1 does (read in its source, held by
tests/orchestrator/test_broker_*.py): it takes over or deletes another's session before it has
checked the password; lets anyone name anyone's client id; checks no rule on wills and retained
messages; sends a client that connects the retained messages of everybody's subscriptions; loses
what was acknowledged but not yet routed when its sender leaves, and what was sent but not yet
acknowledged when its receiver leaves; and never ends a connection that has gone silent.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections import deque
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker, RetainedApplicationMessage, Server
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connack import NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import ApplicationMessage, OutgoingApplicationMessage, Session
from amqtt.utils import gen_client_id

from deploy.broker_admission import BOARDS, DEFAULT, ENTRANCE, Admission
from deploy.broker_connections import (
    AbortableWriter,
    EndingHandler,
    LimitedReader,
    keep_for_later,
)
from deploy.broker_rules import Access
from orchestrator.protocol.accounts import ENROL_USER

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
TAKE_OVER_TIMEOUT_S = 5.0
RULES_POLL_S = 0.2
KEEP_ALIVE_FACTOR = 1.5  # MQTT 3.1.1, 3.1.2.10
SESSION_EXPIRY_S = 24 * 3600

_BROKEN = (AMQTTError, MQTTError, NoDataError, OSError, EOFError, ValueError, struct.error)


class RoutingQueue(asyncio.Queue[ApplicationMessage]):
    """Routes a message when it comes in, so PUBACK never promises what is only in a queue."""

    def __init__(self, broker: EmbeddedBroker, session: Session) -> None:
        super().__init__()
        self._broker = broker
        self._session = session

    def put_nowait(self, item: ApplicationMessage) -> None:
        self._broker.route(self._session, item)

    async def put(self, item: ApplicationMessage) -> None:
        self.put_nowait(item)


class EmbeddedBroker(Broker):  # type: ignore[misc]
    """An MQTT 3.1.1 broker for one machine; must be made inside a running event loop."""

    def __init__(
        self, admission: Admission, listeners: dict[str, ListenerConfig], max_packet_bytes: int
    ) -> None:
        """`listeners` by the names of `broker_admission`; the TLS of boards is the admission's."""
        config = BrokerConfig(
            listeners=listeners, plugins={}, session_expiry_interval=SESSION_EXPIRY_S
        )
        super().__init__(config)
        self._admission = admission
        self._max_packet_bytes = max_packet_bytes
        self._ended: dict[str, asyncio.Event] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen, and follow changes of the rules."""
        await super().start()
        self._watcher = asyncio.create_task(self._watch_rules())

    async def shutdown(self) -> None:
        """Stop listening and end every session."""
        if self._watcher is not None:
            self._watcher.cancel()
        await super().shutdown()

    def _create_ssl_context(self, listener: ListenerConfig) -> ssl.SSLContext:
        tls, named = self._admission.tls, self.listeners_config
        if tls is not None and listener is named.get(BOARDS):
            return tls.boards
        if tls is not None and listener is named.get(ENTRANCE):
            return tls.entrance
        context: ssl.SSLContext = super()._create_ssl_context(listener)
        return context

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """A TCP connection; whatever its client sends ends this connection at worst."""
        limited = LimitedReader(reader, self._max_packet_bytes)
        adapter = AbortableWriter(writer, listener_name)
        try:
            await self._client_connected(listener_name, limited, adapter)
        except _BROKEN as error:
            log.info("connection ended: %s", error)
        finally:
            writer.close()

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        try:
            handler, session = await asyncio.wait_for(
                EndingHandler.init_from_connect(reader, writer, self.plugins_manager),
                CONNECT_TIMEOUT_S,
            )
        except _BROKEN as error:
            raise MQTTError(f"{remote_address}:{remote_port} sent no CONNECT: {error}") from error
        listener = writer.listener if isinstance(writer, AbortableWriter) else DEFAULT
        if not await self._admission.admits(session, listener, writer.get_ssl_info()):
            await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
            await writer.close()
            raise MQTTError(f"{remote_address}:{remote_port} may not connect")
        session = await self._take_over(session)
        session.keep_alive = int(session.keep_alive * KEEP_ALIVE_FACTOR)
        return handler, session

    async def _take_over(self, session: Session) -> Session:
        """The session to go on with: a kept one, or the new one in place of what there was.

        Client ids are counted per user, so that no user can end or inherit another's session.
        """
        session.client_id = client = f"{session.username}/{session.client_id or gen_client_id()}"
        await self._end_connection(client)
        kept = self._sessions.get(client, (None, None))[0]
        if session.clean_session or kept is None or kept.clean_session:
            await self._delete_session(client)
            session.delivered_message_queue = RoutingQueue(self, session)
            session.parent = 0
            return session
        for name in ("will_flag", "will_message", "will_topic", "will_qos", "will_retain"):
            setattr(kept, name, getattr(session, name))
        kept.keep_alive, kept.attributes = session.keep_alive, session.attributes
        kept.parent = 1
        return kept

    async def _end_connection(self, client: str) -> None:
        """MQTT-3.1.4-2: the old connection ends, its will sent, before the new one begins."""
        ended = self._ended.get(client)
        if ended is None:
            return
        handler = self._sessions.get(client, (None, None))[1]
        if handler is not None:
            await handler.handle_connection_closed()
        try:
            async with asyncio.timeout(TAKE_OVER_TIMEOUT_S):
                await ended.wait()
        except TimeoutError:
            log.warning("the old connection of %s is still ending", client)

    async def _handle_client_session(
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        client_session: Session,
        handler: BrokerProtocolHandler,
        server: Server,
        listener_name: str,
    ) -> None:
        client = client_session.client_id or ""
        ended = self._ended[client] = asyncio.Event()
        try:
            await super()._handle_client_session(
                reader, writer, client_session, handler, server, listener_name
            )
        finally:
            ended.set()
            if self._ended.get(client) is ended:
                del self._ended[client]

    async def _authenticate(self, session: Session, _: ListenerConfig) -> bool:
        return True  # decided by Admission, before any session was touched

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        # Never suspends: amqtt calls this while it walks through dictionaries.
        access = Access.WRITE if action is Action.PUBLISH else Access.READ
        return self._may(session, access, topic)

    def _may(self, session: Session, access: Access, topic: str) -> bool:
        client = (session.client_id or "").partition("/")[2]
        return self._admission.may(session, client, access, topic)

    async def _watch_rules(self) -> None:
        """End the connections of users whose credential is gone or another one now."""
        while True:
            await asyncio.sleep(RULES_POLL_S)
            self._admission.refresh()
            for client in list(self._ended):
                session = self._sessions.get(client, (None, None))[0]
                if session is not None and not self._admission.still_admits(session):
                    log.warning("credential withdrawn: %s", session.username)
                    await self._end_connection(client)

    def route(self, session: Session, message: ApplicationMessage) -> None:
        """Queue a message for its subscribers and keep it if it is retained; or refuse it."""
        topic, data = message.topic, bytes(message.data)
        if not topic or set(topic) & set("+#") or not self._may(session, Access.WRITE, topic):
            log.warning("refused: %s may not publish to %r", session.username, topic[:160])
            return
        self._broadcast_queue.put_nowait({"topic": topic, "data": data, "qos": message.qos})
        if session.username == ENROL_USER:
            return  # many share this account: it leaves nothing behind, or it could fill the memory
        if message.retain and data:
            kept = RetainedApplicationMessage(session, topic, data, message.qos)
            self._retained_messages[topic] = kept
        elif message.retain:
            self._retained_messages.pop(topic, None)

    async def _run_broadcast(
        self, running_tasks: deque[asyncio.Task[OutgoingApplicationMessage]]
    ) -> None:
        message = await self._broadcast_queue.get()
        # From here on nothing suspends: subscriptions may change with every suspension.
        for a_filter, subscribers in self._subscriptions.items():
            if self._matches(message["topic"], a_filter):
                for session, granted in subscribers:
                    self._hand_out(session, message, granted, running_tasks)

    def _hand_out(
        self, session: Session, message: dict[str, Any], granted: int, tasks: deque[Any]
    ) -> None:
        topic = message["topic"]
        if not self._may(session, Access.READ, topic):
            return
        qos = min(granted, granted if message.get("qos") is None else message["qos"])
        copy = ApplicationMessage(None, topic, qos, message["data"], False)
        handler = self._get_handler(session)
        if session.transitions.state == "connected" and handler is not None:
            tasks.append(asyncio.create_task(self._send(handler, session, copy)))
        else:
            keep_for_later(session, copy)

    async def _send(
        self, handler: BrokerProtocolHandler, session: Session, message: ApplicationMessage
    ) -> None:
        """Send, and keep what was not acknowledged for the session's next connection."""
        try:
            await handler.mqtt_publish(
                message.topic, message.data, message.qos, retain=message.retain
            )
        except (*_BROKEN, TimeoutError) as error:
            log.debug("not acknowledged: %s %s: %s", session.client_id, message.topic, error)
            keep_for_later(session, message)
        except asyncio.CancelledError:
            # The connection's end cancels what this task waits for; a shutdown cancels the task.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            keep_for_later(session, message)

    async def _publish_session_retained_messages(self, session: Session) -> None:
        handler = self._get_handler(session)
        waiting = session.retained_messages
        while handler is not None and not waiting.empty():
            # Not awaited: the session's SUBSCRIBE would wait for all these acknowledgements.
            task = self._send(handler, session, waiting.get_nowait())
            self._tasks_queue.append(asyncio.create_task(task))

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        a_filter, qos = subscription
        handler = self._get_handler(session)
        holders = self._subscriptions.get(a_filter, [])
        if handler is None or all(holder is not session for holder, _ in holders):
            return
        for kept in self._kept_under(a_filter):
            if self._may(session, Access.READ, kept.topic):
                least = min(qos, kept.qos or 0)
                copy = ApplicationMessage(None, kept.topic, least, kept.data, True)
                task = asyncio.create_task(self._send(handler, session, copy))
                self._tasks_queue.append(task)

    def _kept_under(self, a_filter: str) -> list[RetainedApplicationMessage]:
        if not set(a_filter) & set("+#"):
            kept = self._retained_messages.get(a_filter)
            return [] if kept is None else [kept]
        return [m for t, m in self._retained_messages.items() if self._matches(t, a_filter)]
