"""One hook call, through the real application: which cards, with which ids."""

from flask.testing import FlaskClient

from tests.charts import cards_of, condition, hook_call, post, prefetch


def test_a_lumbar_puncture_order_in_an_empty_chart_gets_what_to_expect_alone(client: FlaskClient) -> None:
    assert list(cards_of(client, hook_call())) == ["what-to-expect"]


def test_spinal_stenosis_in_the_chart_adds_the_confounders_card(client: FlaskClient) -> None:
    call = hook_call(prefetch=prefetch(condition()))
    assert list(cards_of(client, call)) == ["what-to-expect", "confounders"]


def test_a_call_that_is_tried_again_gets_the_same_answer(client: FlaskClient) -> None:
    """R-2.17: same hookInstance, same input, same bytes, ids included."""
    call = hook_call(prefetch=prefetch(condition()))
    assert post(client, call).get_data() == post(client, call).get_data()
