"""The worker's side: a task that takes a while, and tells its user how far it is. It has no hub, only an emitter."""

import os
from time import perf_counter

from celery import Celery, Task
from redis import RedisError

from examples.notifications.events import Notified, Progress
from wsproto_core import user
from wsproto_redis import RedisEmitter

STEPS = 20

celery = Celery("notifications", broker=os.environ["BROKER"])
celery.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,  # a report that a killed worker did not finish is begun again by another
    task_ignore_result=True,
    worker_hijack_root_logger=False,
)
emitter = RedisEmitter(os.environ["BACKPLANE"])


@celery.task(bind=True, autoretry_for=(RedisError,), retry_backoff=True)  # type: ignore[untyped-decorator]
def count_primes(self: Task, upto: int, user_id: str) -> None:
    report, began, count = self.request.id, perf_counter(), 0
    for step in range(STEPS):
        count += sum(map(is_prime, range(upto * step // STEPS, upto * (step + 1) // STEPS)))
        emitter.emit(Progress(report=report, percent=100 * (step + 1) // STEPS), to=user(user_id))
    text = f"There are {count:,} primes below {upto:,}; to count them took {perf_counter() - began:.1f} seconds."
    emitter.emit(Notified(report=report, text=text), to=user(user_id))


def is_prime(number: int) -> bool:
    """Try every odd divisor: slow on purpose."""
    if number < 3 or number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
