{#-
  Carry the steps of a rollback out, as python/strata/rollback.py plans them; `strata rollback` calls it. Each may be done already:
  a rollback that was killed is carried out once more, from its first step.
-#}
{% macro restore_tables(steps) %}
    {%- for step in steps if step.aside -%}
        {% do _rename_table(step.schema, step.name, step.aside) %}
    {%- endfor -%}
    {%- for step in steps if step.taken_from -%}
        {% do _rename_table(step.schema, step.taken_from, step.name) %}
    {%- endfor -%}
    {%- for step in steps if step.after is not none -%}
        {% do run_query('restore table `' ~ step.schema ~ '`.`' ~ step.name ~ '` to version as of ' ~ step.after) %}
    {%- endfor -%}
    {%- for step in steps if step.query_after is not none -%}
        {% do run_query('create or replace view `' ~ step.schema ~ '`.`' ~ step.name ~ '` as ' ~ step.query_after) %}
    {%- endfor -%}
{% endmacro %}


{#- Give a table another name. Where that has been done, there is none of the old name, or a table that has it since. -#}
{% macro _rename_table(schema, name, other) %}
    {%- set is_there = load_relation(api.Relation.create(schema=schema, identifier=name)) is not none -%}
    {%- if is_there and load_relation(api.Relation.create(schema=schema, identifier=other)) is none -%}
        {% do adapter.rename_relation(
            api.Relation.create(schema=schema, identifier=name, type='table'),
            api.Relation.create(schema=schema, identifier=other, type='table')
        ) %}
    {%- endif -%}
{% endmacro %}
