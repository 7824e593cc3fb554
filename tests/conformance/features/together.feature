Feature: Together
  What holds for each task holds for tasks inside of tasks: loops around retries, races inside loops, timeouts around
  all of it.

  Scenario: A timeout around a try ends it in the middle of a retry's delay
    Given a workflow that says:
      """yaml
      do:
        - outer:
            timeout: {after: PT25S}
            try:
              - fail: {raise: {error: {type: 'https://shop.example/errors/busy', status: 503}}}
            catch:
              errors: {with: {status: 503}}
              retry: {delay: PT10S}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/outer
      """
    And the tasks should run in order outer, fail, fail, fail
    And the workflow should take PT25S

  Scenario: A listener in an attempt that timed out is gone; the next attempt listens anew
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - hear:
                    try:
                      - listener: {listen: {to: {one: {with: {type: ping}}}}, timeout: {after: PT10S}}
                    catch:
                      errors: {with: {status: 408}}
                      retry: {delay: PT1S}
                - say:
                    do:
                      - pause: {wait: PT15S}
                      - ping: {emit: {event: {with: {type: ping, data: late}}}, output: {as: .type}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - [late]
      - ping
      """
    And the tasks should run in order both, hear, listener, say, pause, listener, ping
    And hear should be retried 1 time

  Scenario: A loop in each branch of a fork, each with waits of its own
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - left:
                    for: {each: n, in: '[1, 2]'}
                    do:
                      - napLeft: {wait: PT2S}
                      - addLeft: {set: '${ (. // []) + [$n] }'}
                - right:
                    for: {each: n, in: '[3, 4, 5]'}
                    do:
                      - napRight: {wait: PT1S}
                      - addRight: {set: '${ (. // []) + [$n] }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - [1, 2]
      - [3, 4, 5]
      """
    And the workflow should take PT4S
    And the tasks should run in order both, left, napLeft, right, napRight, addRight, napRight, addLeft, napLeft, addRight, napRight, addRight, addLeft

  Scenario: A race in every turn of a loop
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2]'}
            do:
              - race:
                  fork:
                    compete: true
                    branches:
                      - slow: {wait: PT1H}
                      - fast: {set: '${ . + [$n] }'}
      """
    And the workflow input is:
      """yaml
      []
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2]
      """
    And the tasks should run in order loop, race, slow, fast, race, slow, fast
    And the workflow should take PT0S

  Scenario: A race in a fork: each context goes where it belongs
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - race:
                    fork:
                      compete: true
                      branches:
                        - winner: {set: {n: 1}, export: {as: '$context + {race: "won"}'}}
                        - loser: {wait: PT1H, export: {as: '$context + {race: "lost"}'}}
                - other: {set: {n: 2}, export: {as: '$context + {other: true}'}}
        - look: {set: '${ $context }'}
      """
    And the workflow input is:
      """yaml
      base: 0
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {base: 0, race: won, other: true}
      """
    And the tasks should run in order both, race, winner, other, look

  Scenario: exit inside a try leaves the list of the try
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - first: {set: {n: 1}, then: exit}
              - never: {set: {n: 2}}
            catch: {then: end}
        - after: {set: {was: '${ .n }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      was: 1
      """
    And the tasks should run in order guarded, first, after

  Scenario: end inside catch.do ends the workflow with its output
    Given a workflow that says:
      """yaml
      output: {as: '{result: .}'}
      do:
        - guarded:
            try:
              - fail: {raise: {error: {type: 'https://shop.example/errors/busy', status: 503}}}
            catch:
              do:
                - give: {set: {up: true}, then: end}
        - never: {set: {n: 2}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      result: {up: true}
      """
    And the tasks should run in order guarded, fail, give

  Scenario Outline: An error in <where> is an error of its task
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - bad: <task>
            catch:
              as: problem
              do:
                - tell: {set: '${ [$problem.status, $problem.instance] }'}
      """
    And the workflow input is:
      """yaml
      text: a
      """
    And these events occur:
      """yaml
      - {type: t, data: 1}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [400, /do/0/guarded/try/0/bad]
      """
    And the tasks should run in order <ran>

    Examples:
      | where      | task                                                              | ran                |
      | if         | {if: .text + 1, set: {n: 1}}                                      | guarded, tell      |
      | input.from | {input: {from: .text + 1}, set: {n: 1}}                           | guarded, bad, tell |
      | output.as  | {set: {n: a}, output: {as: .n + 1}}                               | guarded, bad, tell |
      | export.as  | {set: {n: a}, export: {as: .n + 1}}                               | guarded, bad, tell |
      | switch     | {switch: [{one: {when: .text + 1, then: continue}}]}              | guarded, bad, tell |
      | for.in     | {for: {in: .text + 1}, do: [{x: {set: {n: 1}}}]}                  | guarded, bad, tell |
      | while      | {for: {in: '[1]'}, while: .text + 1, do: [{x: {set: {n: 1}}}]}    | guarded, bad, tell |
      | emit       | {emit: {event: {with: {type: t, data: '${ .text + 1 }'}}}}        | guarded, bad, tell |
      | timeout    | {wait: PT1S, timeout: {after: '${ .text }'}}                      | guarded, bad, tell |
      | until      | {listen: {to: {any: [], until: '.text'}}}                         | guarded, bad, tell |

  Scenario: A workflow may be cancelled in the middle of a retry's delay
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - fail: {raise: {error: {type: 'https://shop.example/errors/busy', status: 503}}}
            catch:
              retry: {delay: PT1H}
      """
    And the workflow is cancelled after PT30M
    When the workflow is executed
    Then the workflow should cancel
    And the tasks should run in order guarded, fail
    And guarded should cancel
    And the workflow should take PT30M

  Scenario: A thousand rounds of a loop in two branches are taken in turns
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - left:
                    for: {in: '[range(1000)]'}
                    do:
                      - up: {if: 'false', set: {n: 0}}
                - right:
                    for: {in: '[range(1000)]'}
                    do:
                      - down: {if: 'false', set: {n: 0}}
      """
    And the workflow input is:
      """yaml
      7
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [7, 7]
      """
    And the tasks should run in order both, left, right

  Scenario: Jumping back to a listener takes the next event
    Given a workflow that says:
      """yaml
      do:
        - hear:
            listen: {to: {one: {with: {type: number}}}}
            output: {as: '.[0]'}
            export: {as: '($context // []) + [.]'}
        - more:
            switch:
              - again: {when: . < 3, then: hear}
        - tell: {set: '${ $context }'}
      """
    And these events occur:
      """yaml
      - {type: number, data: 1}
      - {type: number, data: 2}
      - {type: number, data: 3}
      - {type: number, data: 4}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, 2, 3]
      """
    And the tasks should run in order hear, more, hear, more, hear, more, tell

  Scenario: The workflow's timeout may depend on its input
    Given a workflow that says:
      """yaml
      timeout: {after: '${ $workflow.input.patience }'}
      do:
        - pause: {wait: PT1H}
      """
    And the workflow input is:
      """yaml
      patience: PT5M
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /
      """
    And the tasks should run in order pause
    And pause should cancel
    And the workflow should take PT5M

  Scenario: A retry around a fork begins all its branches anew
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - both:
                  fork:
                    branches:
                      - get: {call: http, with: {method: get, endpoint: 'https://shop.example/flaky'}}
                      - pause: {wait: PT1M}
            catch:
              retry: {delay: PT1S, limit: {attempt: {count: 1}}}
      """
    And the service 'shop.example' answers:
      """yaml
      - {status: 503}
      - {body: 1}
      """
    And the workflow input is:
      """yaml
      x
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [1, x]
      """
    And the tasks should run in order guarded, both, get, pause, both, get, pause
    And the workflow should take PT1M1S
