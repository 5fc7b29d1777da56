//! The in-process queue: what no broker shares with it.

use docmill_domain::Lane;
use docmill_queue::{Depth, QueueConfig, QueueError, open};

use super::{next, outgoing, publish};

#[tokio::test]
async fn a_full_lane_refuses_and_recovers() {
    let queue = open(&QueueConfig::Memory { visibility_seconds: 30, capacity: 2 }).await.unwrap();
    let third = outgoing("third");
    publish(&*queue, &[outgoing("first"), outgoing("second")]).await;
    let taken = next(&*queue).await;
    let refused = queue.publish(std::slice::from_ref(&third)).await.unwrap();
    assert!(matches!(refused[..], [Err(QueueError::Full)]), "what is in flight counts");
    queue.ack(&taken.receipt).await.unwrap();
    publish(&*queue, &[third]).await;
    assert_eq!(queue.depth(Lane::Bulk).await.unwrap(), Depth { waiting: 2, in_flight: 0, set_aside: 0 });
}

#[tokio::test]
async fn a_row_can_ring_again_once_its_message_is_gone() {
    let queue = open(&QueueConfig::default()).await.unwrap();
    let message = outgoing("again");
    for _ in 0..2 {
        publish(&*queue, std::slice::from_ref(&message)).await;
        let delivery = next(&*queue).await;
        assert_eq!((&delivery.body, delivery.deliveries), (&message.body, 1));
        queue.ack(&delivery.receipt).await.unwrap();
    }
}
