"""The operations on push notification configs (specification sections 3.1.7 to 3.1.10)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..core.errors import InternalError, InvalidParams, PushConfigNotFound, TaskNotFound
from ..core.operations import DeletePushConfig, GetPushConfig, ListPushConfigs, PushConfigList, SetPushConfig
from ..core.ports import Clock, Conflict, Poison, PushConfigStore, TaskStore
from ..core.records import PushConfig, TaskRecord
from ..core.tries import tries
from ..dialects import legacy
from ..net.webhook_url import WebhookPolicy, header_refusal
from .webhook import RESERVED_HEADERS

MAX_CONFIGS = 20
"""Configs per task: every change of the task is POSTed to each."""

MAX_CONFIG = 8_192
"""Characters of a config in all, its credentials as they are sent: each is read at every change of its task."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2: what a scheme is (section 11.1)."""

MAX_LIFE = timedelta(days=430)
"""Configs are removed with their task; this bounds the life of one whose task vanished otherwise."""


@dataclass(frozen=True, slots=True)
class PushConfigService:
    """Answers a caller, who is known by ``owner``. Another owner's task or config does not exist for it."""

    tasks: TaskStore
    configs: PushConfigStore
    policy: WebhookPolicy
    clock: Clock
    sleep: Callable[[float], None]

    def check(self, request: SetPushConfig) -> None:
        """Raises :class:`InvalidParams` if the URL or a header value is one we will not send to."""
        legacy_names = request.dialect == legacy.NAME
        refusal = self.policy.url_refusal(request.url)
        if refusal is not None:
            raise InvalidParams.of("webhookUrl" if legacy_names else "url", refusal)
        authentication = request.authentication or {}
        if request.config_id is not None and (refusal := _id_refusal(request.config_id)) is not None:
            raise InvalidParams.of("id", refusal)
        header_name = authentication.get("headerName", "Authorization")
        if header_name.lower() in RESERVED_HEADERS:
            raise InvalidParams.of("authenticationInfo.headerName", "is a header that the agent sets itself")
        scheme, credentials = authentication.get("scheme", ""), authentication.get("credentials", "")
        if any(_TOKEN.fullmatch(each) is None for each in authentication.get("schemes", [scheme] if scheme else [])):
            raise InvalidParams.of("authentication.scheme", "must be the name of a scheme, without parameters")
        candidates = {
            "token": ("X-A2A-Notification-Token", request.token or ""),
            "authenticationInfo.headerName": (header_name, ""),
            "authentication.credentials": ("Authorization", credentials),
        }
        for field, (name, value) in candidates.items():
            refusal = header_refusal(name, value)
            if refusal is None and value != value.strip():
                refusal = "must not begin or end with a blank: a receiver would read another value"
            if refusal is not None:
                raise InvalidParams.of(field, refusal)
        size = len(f"{scheme} {credentials}") + len(request.token or "") + len(header_name) + len(request.url)
        size += sum(map(len, (*authentication.get("schemes", ()), *request.event_types)))
        if size > MAX_CONFIG:
            raise InvalidParams.of(
                "authentication", f"and all else of the config is more than {MAX_CONFIG:,} characters"
            )

    def set(self, owner: str, request: SetPushConfig) -> PushConfig:
        """Register a webhook for a task. A config of the same id is replaced; what waits for it goes to the new URL.

        A task that has ended or waits for its client may never change again, so its state is announced to the config
        at once. Raises :class:`TaskNotFound`, :class:`InvalidParams`.
        """
        self.check(request)
        config_id = request.config_id or str(uuid.uuid4())
        for _ in tries(self.sleep):
            record = self._task(owner, request.task_id)
            existing = self._existing(record.task_id, config_id)
            if existing is not None and not existing.is_of(record.created_at):
                self.configs.delete(existing)  # of a task of this id that has expired
                existing = None
            if existing is None:
                self._check_count(record.task_id)
            announce = record.terminal or record.interrupted
            config = self._config(owner, record.task_id, config_id, request, record.generation, record.created_at)
            if announce:
                config = replace(config, queued_through=config.registered - 1, settled_through=config.registered - 1)
            if existing is not None:
                config = replace(
                    config,
                    incarnation=existing.incarnation,
                    registered=existing.registered,
                    queued_through=existing.queued_through,
                    settled_through=min(existing.settled_through, config.settled_through),
                )
            # Not the announcement that the task may still carry: that one was made.
            record = replace(record, announcement=(config_id, str(uuid.uuid4())) if announce else None)
            try:
                self.configs.register(config, existing, record)
            except Conflict:
                continue
            if existing is None:
                self._recount(config)
            return config
        raise InternalError

    def inline(self, owner: str, task_id: str, request: SetPushConfig, created_at: datetime) -> PushConfig:
        """The config of a task that is about to be created: it hears of every generation."""
        return self._config(owner, task_id, request.config_id or _inline_id(task_id), request, 0, created_at)

    def set_inline(self, owner: str, task_id: str, request: SetPushConfig) -> PushConfig:
        """Register a config that came with a message to a task that exists."""
        return self.set(owner, replace(request, task_id=task_id, config_id=request.config_id or _inline_id(task_id)))

    def check_room(self, task_id: str, request: SetPushConfig) -> None:
        """Raises :class:`InvalidParams` if a task that exists cannot take this inline config."""
        with suppress(Poison):  # one that cannot be read has its place, too
            if self.configs.get(task_id, request.config_id or _inline_id(task_id)) is None:
                self._check_count(task_id)

    def get(self, owner: str, request: GetPushConfig) -> PushConfig | None:
        """One config. Raises :class:`PushConfigNotFound`, unless a missing one may be answered with None."""
        self._task(owner, request.task_id)
        if request.config_id is not None:
            found = self.configs.get(request.task_id, request.config_id)
            if found is None and request.or_default:
                found = self.configs.get(request.task_id, legacy.DEFAULT_CONFIG_ID)
        else:
            configs = self.configs.of_task(request.task_id)
            default = [config for config in configs if config.config_id == legacy.DEFAULT_CONFIG_ID]
            found = next(iter([*default, *configs]), None)
        if found is None and not request.missing_ok:
            raise PushConfigNotFound
        return found

    def list(self, owner: str, request: ListPushConfigs) -> PushConfigList:
        """The configs of a task, by id, or all of the caller. Raises :class:`TaskNotFound`.

        The page token is the id of the last config of the page before.
        """
        if request.task_id is None:
            return PushConfigList(self.configs.of_owner(owner))
        self._task(owner, request.task_id)
        configs = [
            config
            for config in self.configs.of_task(request.task_id)
            if request.page_token is None or config.config_id > request.page_token
        ]
        page = configs[: request.page_size or None]
        more = len(page) < len(configs)
        return PushConfigList(page, page[-1].config_id if more else "")

    def delete(self, owner: str, request: DeletePushConfig) -> None:
        """Remove a config; what waits for it is dropped. Idempotent. Raises :class:`TaskNotFound`."""
        self._task(owner, request.task_id)
        found = self.configs.of_task(request.task_id)
        ids = {one.config_id for one in (*found, *found.unreadable)}
        default = request.or_default and request.config_id not in ids
        config_id = legacy.DEFAULT_CONFIG_ID if default else request.config_id
        for config in found:
            if config.config_id == config_id:
                self.configs.delete(config)
        for unreadable in found.unreadable:
            if unreadable.config_id == config_id:
                self.configs.discard(unreadable)

    def _existing(self, task_id: str, config_id: str) -> PushConfig | None:
        """The config of this id. One that cannot be read makes room: its client sets it again, and that repairs it."""
        try:
            return self.configs.get(task_id, config_id)
        except Poison:
            for unreadable in self.configs.of_task(task_id).unreadable:
                if unreadable.config_id == config_id:
                    self.configs.discard(unreadable)
        return None

    def _check_count(self, task_id: str, too_many: int = MAX_CONFIGS) -> None:
        found = self.configs.of_task(task_id)
        if len(found) + len(found.unreadable) >= too_many:
            raise InvalidParams.of("taskId", f"has {MAX_CONFIGS} push notification configs, no more are possible")

    def _recount(self, config: PushConfig) -> None:
        """Others may have been registered since the count. Whoever finds too many takes its own back; perhaps several
        do, and none of them has been told of a success."""
        try:
            self._check_count(config.task_id, MAX_CONFIGS + 1)
        except InvalidParams:
            self.configs.delete(config)
            raise

    def _task(self, owner: str, task_id: str) -> TaskRecord:
        record = self.tasks.get(task_id)
        if record is None or record.owner != owner:
            raise TaskNotFound
        return record

    def _config(
        self,
        owner: str,
        task_id: str,
        config_id: str,
        request: SetPushConfig,
        generation: int,
        task_created_at: datetime,
    ) -> PushConfig:
        """A fresh config, registered at this generation, which its client knows of."""
        return PushConfig(
            task_id=task_id,
            config_id=config_id,
            owner=owner,
            url=request.url,
            dialect=request.dialect,
            incarnation=str(uuid.uuid4()),
            revision=str(uuid.uuid4()),
            token=request.token,
            authentication=request.authentication,
            event_types=request.event_types,
            registered=generation,
            queued_through=generation,
            settled_through=generation,
            expires_at=int((self.clock() + MAX_LIFE).timestamp()),
            task_created_at=task_created_at,
        )


def _id_refusal(config_id: str) -> str | None:
    """Why a config of this id could not be had by HTTP+JSON, where it is part of a path; None if it could. What is on
    the way of a request removes dots, and does not agree on how often a ``%`` is decoded."""
    if "%" in config_id or {".", ".."} & {*config_id.split("/")}:
        return "must not hold %, nor be . or .. between slashes: it is part of a path"
    return None


def _inline_id(task_id: str) -> str:
    """The id of an inline config without one: the same each time, so that a repeated send makes no second config."""
    return str(uuid.uuid5(uuid.UUID(task_id), "inline"))
