import select
import threading

from driftline.sensor.wakeup_queue import WakeupQueue


def test_items_arrive_in_order_and_wake_the_waiting_thread() -> None:
    queue: WakeupQueue[int] = WakeupQueue()
    assert queue.take() == []
    thread = threading.Thread(target=lambda: list(map(queue.put, range(3))))
    thread.start()
    thread.join()

    assert select.select([queue], [], [], 0)[0] == [queue]
    assert queue.take() == [0, 1, 2]
    assert select.select([queue], [], [], 0)[0] == []
    queue.close()
