"""Augmentation and normalization against plain loops; an epoch is a function of seed and number."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from pi_bench.models.training.batches import Batches, augment
from pi_bench.models.training.distillation import teaching_loss


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def shifted(image, down, right, mirrored):
    """image[y + down, x + right], black outside."""
    result = torch.zeros_like(image)
    _, height, width = image.shape
    for y in range(height):
        for x in range(width):
            column = width - 1 - x if mirrored else x
            if 0 <= y + down < height and 0 <= column + right < width:
                result[:, y, x] = image[:, y + down, column + right]
    return result


@pytest.mark.parametrize("flips", [False, True])
def test_each_image_is_one_of_its_shifts_and_all_of_them_occur(flips):
    image = torch.arange(1, 25, dtype=torch.uint8).reshape(2, 3, 4)
    allowed = {
        bytes(shifted(image, down, right, mirrored).numpy()): (down, right, mirrored)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        for mirrored in ((False, True) if flips else (False,))
    }
    results = augment(image.expand(400, 2, 3, 4), 1, flips, generator())
    seen = {allowed[bytes(result.contiguous().numpy())] for result in results}
    assert seen == set(allowed.values())


def test_no_padding_and_no_flips_change_nothing():
    images = torch.randint(0, 256, (5, 3, 4, 4), generator=generator(), dtype=torch.uint8)
    torch.testing.assert_close(augment(images, 0, False, generator()), images)


def test_normalized_training_images_have_mean_0_and_deviation_1(blobs):
    batches = Batches(blobs, 0.2, torch.device("cpu"))
    pixels = batches.normalized(batches.train.images)
    torch.testing.assert_close(pixels.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(pixels.std(dim=(0, 2, 3)), torch.ones(2), atol=1e-3, rtol=0)
    by_hand = (blobs.test.images[:3] / 255 - batches.mean.reshape(1, 2, 1, 1)) / batches.deviation.reshape(
        1, 2, 1, 1
    )
    np.testing.assert_allclose(batches.normalized(batches.test.images[:3]).numpy(), by_hand, atol=1e-5)


def test_validation_images_are_held_out_of_training(blobs):
    batches = Batches(blobs, 0.2, torch.device("cpu"))
    assert (len(batches.train), len(batches.validation), len(batches.test)) == (480, 120, 60)
    train, validation, test = (
        {bytes(image.numpy()) for image in split.images}
        for split in (batches.train, batches.validation, batches.test)
    )
    assert not train & validation
    assert test == {bytes(image) for image in blobs.test.images}
    assert len(Batches(blobs, 0, torch.device("cpu")).train) == 600


def test_an_epoch_repeats_and_the_next_one_differs(blobs):
    batches = Batches(blobs, 0.2, torch.device("cpu"))

    def images(seed, epoch):
        return torch.cat([batch for batch, _ in batches.epoch(seed, epoch, 50)])

    assert images(1, 0).shape == (450, 2, 8, 8)  # 480 images are nine whole batches
    assert torch.equal(images(1, 0), images(1, 0))
    assert not torch.equal(images(1, 0), images(1, 1))
    assert not torch.equal(images(1, 0), images(2, 0))


def test_labels_stay_with_their_images(blobs):
    batches = Batches(blobs, 0.2, torch.device("cpu"))
    originals = {
        bytes(image.numpy()): int(label) for image, label in zip(*_tensors(batches.train), strict=True)
    }
    batches._crop_padding, batches._flips = 0, False
    scale = torch.tensor(batches.deviation * 255).reshape(1, 2, 1, 1)
    shift = torch.tensor(batches.mean * 255).reshape(1, 2, 1, 1)
    for images, labels in batches.epoch(1, 0, 32):
        pixels = (images * scale + shift).round().to(torch.uint8)
        assert [originals[bytes(image.numpy())] for image in pixels] == labels.tolist()


def _tensors(split):
    return split.images, split.labels


def test_teaching_loss_by_hand():
    logits = np.array([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
    teacher = np.array([[0.0, 4.0, 1.0], [2.0, 2.0, 2.0]])

    def softmax(values):
        powers = np.exp(values)
        return powers / powers.sum(axis=1, keepdims=True)

    soft_teacher, soft_student = softmax(teacher / 4), softmax(logits / 4)
    soft = (soft_teacher * np.log(soft_teacher / soft_student)).sum(axis=1).mean()
    found = teaching_loss(torch.tensor(logits), torch.tensor(teacher), 4.0)
    assert float(found) == pytest.approx(16 * soft)
    assert float(teaching_loss(torch.tensor(teacher), torch.tensor(teacher), 4.0)) == pytest.approx(0)


def test_images_are_in_channels_last_layout(blobs):
    batches = Batches(blobs, 0.1, torch.device("cpu"))
    images, _ = next(batches.epoch(1, 0, 32))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert not images.is_contiguous()
