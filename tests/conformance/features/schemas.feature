Feature: Schemas
  A schema is JSON Schema 2020-12. It can stand in five places: the input and the output of the workflow, the input,
  the output and the exported context of a task. What does not fit is a validation error (400).

  Scenario: The workflow's input must fit before any task runs
    Given a workflow that says:
      """yaml
      input:
        schema:
          document:
            type: object
            required: [id]
            properties:
              id: {type: integer}
      do:
        - look:
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      id: seven
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /
      """
    And the error's detail should mention '/id'
    And no task should run

  Scenario: The schema is asked about the input as it came, before input.from
    Given a workflow that says:
      """yaml
      input:
        schema:
          document: {type: object, required: [order]}
        from: .order
      do:
        - look:
            input:
              schema:
                document: {type: object, required: [id]}
              from: .id
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      order: {id: 7}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      7
      """
    And the tasks should run in order look

  Scenario: A task's input must fit
    Given a workflow that says:
      """yaml
      do:
        - look:
            input:
              schema:
                document: {type: array}
            set: ${ . }
      """
    And the workflow input is:
      """yaml
      {}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      title: Validation Error
      instance: /do/0/look
      """
    And the tasks should run in order look

  Scenario: A task's output must fit as it was shaped
    Given a workflow that says:
      """yaml
      do:
        - look:
            set: {n: 1}
            output:
              as: .n
              schema:
                document: {type: string}
        - never:
            set: {n: 2}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/look
      """
    And the tasks should run in order look
    And look should fault

  Scenario: An exported context must fit
    Given a workflow that says:
      """yaml
      do:
        - look:
            set: {n: 1}
            export:
              as: '{total: .n}'
              schema:
                document:
                  properties:
                    total: {minimum: 10}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/look
      """
    And the error's detail should mention '/total'
    And the tasks should run in order look

  Scenario: The workflow's output must fit
    Given a workflow that says:
      """yaml
      output:
        schema:
          document: {type: object, required: [result]}
      do:
        - look:
            set: {n: 1}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /
      """
    And the tasks should run in order look
    And look should complete

  Scenario: What does not fit can be caught like any error
    Given a workflow that says:
      """yaml
      do:
        - checked:
            try:
              - look:
                  input:
                    schema:
                      document: {required: [id]}
                  set: ${ . }
            catch:
              errors:
                with:
                  type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
              do:
                - mend:
                    set: {id: 0}
      """
    And the workflow input is:
      """yaml
      {}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      id: 0
      """
    And the tasks should run in order checked, look, mend
    And look should fault with error:
      """yaml
      instance: /do/0/checked/try/0/look
      """

  Scenario: A function's schema checks the arguments of each call
    Given a workflow that says:
      """yaml
      use:
        functions:
          double:
            input:
              schema:
                document: {required: [n]}
            set: ${ .n * 2 }
      do:
        - wrong:
            call: double
            with: {m: 1}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/wrong
      """
    And the tasks should run in order wrong, wrong

  Scenario: A schema may stand elsewhere, as JSON or YAML; it is fetched before the workflow runs
    Given a workflow that says:
      """yaml
      input:
        schema: {resource: {endpoint: 'https://schemas.example.com/order.json'}}
      do:
        - look:
            export: {as: ., schema: {format: json, resource: {endpoint: {uri: 'https://schemas.example.com/note.yaml'}}}}
            output: {schema: {resource: {endpoint: {uri: 'https://schemas.example.com/note.yaml'}}}}
            set: {note: '${ .id }'}
      """
    And the workflow input is:
      """yaml
      id: 7
      """
    And the service 'schemas.example.com' answers:
      """yaml
      - {on: GET /order.json, body: {$ref: '#/$defs/order', $defs: {order: {type: object, required: [id]}}}}
      - {on: GET /note.yaml, body: "type: object\nproperties:\n  note: {type: string}\n"}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/look
      """
    And the error's detail should mention '/note'
    And the tasks should run in order look
    And the service 'schemas.example.com' should have received 2 requests

  Scenario: A schema must be whole: nothing is fetched for its references
    Given a workflow that says:
      """yaml
      input:
        schema: {resource: {endpoint: 'https://schemas.example.com/order.json'}}
      do:
        - look: {set: {a: 1}, output: {schema: {document: {$ref: 'https://schemas.example.com/other.json'}}}}
      """
    And the service 'schemas.example.com' answers:
      """yaml
      - {body: {properties: {customer: {$ref: customer.json}}}}
      """
    When the document is checked
    Then the document should be refused at '5:43':
      """
      its reference 'https://schemas.example.com/other.json' leads nowhere in it
      """

  Scenario: That is said of a fetched one too
    Given a workflow that says:
      """yaml
      input:
        schema: {resource: {endpoint: 'https://schemas.example.com/order.json'}}
      do:
        - look: {set: {a: 1}}
      """
    And the service 'schemas.example.com' answers:
      """yaml
      - {body: {properties: {customer: {$ref: customer.json}}}}
      """
    When the document is checked
    Then the document should be refused at '3:33':
      """
      its reference 'customer.json' leads nowhere in it; put what it names below $defs
      """

  Scenario: What is no schema is refused
    Given a workflow that says:
      """yaml
      input:
        schema: {resource: {endpoint: 'https://schemas.example.com/order.json'}}
      do:
        - look: {set: {a: 1}}
      """
    And the service 'schemas.example.com' answers:
      """yaml
      - {body: {type: objekt}}
      """
    When the document is checked
    Then the document should be refused at '3:33':
      """
      it is not a JSON Schema
      """

  Scenario: An address that is only known later cannot be fetched before
    Given a workflow that says:
      """yaml
      do:
        - look: {set: {a: 1}, input: {schema: {resource: {endpoint: 'https://schemas.example.com/{kind}.json'}}}}
      """
    When the document is checked
    Then the document should be refused at '3:63':
      """
      the address of the schema is a URI template
      """

  Scenario: Schemas are JSON Schema 2020-12 and nothing else
    Given a workflow that says:
      """yaml
      input:
        schema: {format: avro, document: {type: record}}
      do:
        - look: {set: {a: 1}}
      """
    When the document is checked
    Then the document should be refused at '3:20':
      """
      schemas of the format 'avro' cannot be checked; write one of json or json:2020-12
      """

  Scenario: Formats inside a schema describe; they refuse nothing, as JSON Schema has it by default
    Given a workflow that says:
      """yaml
      input:
        schema: {document: {properties: {mail: {type: string, format: email}}}}
      do:
        - look: {set: '${ .mail }'}
      """
    And the workflow input is:
      """yaml
      mail: nobody
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      nobody
      """
    And the tasks should run in order look
